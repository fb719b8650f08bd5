//! Wrong: the trait isn't implemented for functions.

// ANCHOR: wrong
trait Handler {
    async fn handle(&self, city: String) -> u32;
}

fn register(_handler: impl Handler) {}

async fn by_length(city: String) -> u32 {
    city.len() as u32
}

fn main() {
    register(by_length);
}
// ANCHOR_END: wrong
