//! Wrong: `anyhow::Error` doesn't implement `std::error::Error`.

use std::error::Error;

fn report(error: &dyn Error) {
    println!("{error}");
}

fn main() {
    let error = anyhow::anyhow!("the disk is full");
    report(&error);
}
