//! Start no runtime.

fn main() {
    println!("no");
}
