//! Wrong: `anyhow::Error` is not an error of the standard library.

use std::error::Error;

fn report(error: &dyn Error) {
    println!("{error}");
}

fn main() {
    let error = anyhow::anyhow!("the disk is full");
    report(&error);
}
