//! A trait with an `async fn` can't be used behind `dyn`.

// ANCHOR: wrong
/// Notifies a customer about an order.
trait Notify {
    async fn notify(&self, order: u32);
}

/// The channels that the customer has chosen.
struct Chosen {
    channels: Vec<Box<dyn Notify>>,
}
// ANCHOR_END: wrong

fn main() {
    println!("{} bytes", size_of::<Chosen>());
}
