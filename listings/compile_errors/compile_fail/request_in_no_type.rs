//! Wrong: the type of the request isn't a parameter of the trait.

// ANCHOR: wrong
trait Handler {
    async fn handle(&self) -> u32;
}

impl<F, Request> Handler for F
where
    F: AsyncFn(Request) -> u32,
{
    async fn handle(&self) -> u32 {
        0
    }
}
// ANCHOR_END: wrong

fn main() {}
