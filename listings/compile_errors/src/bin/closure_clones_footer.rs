//! Clone the closure's variable for each future, or write an async closure.

// ANCHOR: composers
use futures::future::BoxFuture;

fn composer(footer: String) -> impl Fn() -> BoxFuture<'static, String> {
    move || {
        let footer = footer.clone();
        Box::pin(async move { format!("Hello! {footer}") })
    }
}

/// The future borrows the footer from the closure.
fn lender(footer: String) -> impl AsyncFn() -> String {
    async move || format!("Hello! {footer}")
}
// ANCHOR_END: composers

#[tokio::main]
async fn main() {
    let (compose, lend) =
        (composer("Bye.".into()), lender("Ann".into()));
    println!("{}\n{}", compose().await, lend().await);
}
