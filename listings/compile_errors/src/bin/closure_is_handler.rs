//! Implement your trait for every async function and async closure.

// ANCHOR: handler
trait Handler<Request> {
    async fn handle(&self, request: Request) -> u32;
}

impl<F, Request> Handler<Request> for F
where
    F: AsyncFn(Request) -> u32,
{
    async fn handle(&self, request: Request) -> u32 {
        self(request).await
    }
}

/// A type of your own can still implement the trait.
struct FlatRate(u32);

impl Handler<String> for FlatRate {
    async fn handle(&self, _city: String) -> u32 {
        self.0
    }
}

async fn by_length(city: String) -> u32 {
    city.len() as u32
}

async fn price(handler: impl Handler<String>) -> u32 {
    handler.handle("Oslo".to_owned()).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}", price(by_length).await);
    println!(
        "{}",
        price(async |city: String| city.len() as u32 * 2).await
    );
    println!("{}", price(FlatRate(9)).await);
}
// ANCHOR_END: handler
