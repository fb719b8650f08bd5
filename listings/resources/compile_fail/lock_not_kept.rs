//! Wrong: a guard of a std mutex that is assigned to `_`.

use std::sync::Mutex;

fn main() {
    let printer = Mutex::new(());
    let _ = printer.lock();
    println!("order 7");
}
