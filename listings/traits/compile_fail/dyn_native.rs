//! A trait with an `async fn` cannot be used behind `dyn`.

// ANCHOR: wrong
/// Tells a customer of an order.
trait Notify {
    async fn notify(&self, order: u32);
}

/// As the customer has chosen.
struct Chosen {
    channels: Vec<Box<dyn Notify>>,
}
// ANCHOR_END: wrong

fn main() {
    println!("{} bytes", size_of::<Chosen>());
}
