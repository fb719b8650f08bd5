//! Clone the closure's variable for each future, or write an async closure.

// ANCHOR: composers
use futures::future::BoxFuture;

fn composer(
    footer: String,
) -> impl Fn(u32) -> BoxFuture<'static, String> {
    move |issue| {
        let footer = footer.clone();
        Box::pin(async move { format!("Issue {issue}. {footer}") })
    }
}

/// The future borrows the footer from the closure.
fn lender(footer: String) -> impl AsyncFn(u32) -> String {
    async move |issue| format!("Issue {issue}. {footer}")
}
// ANCHOR_END: composers

#[tokio::main]
async fn main() {
    let (compose, lend) =
        (composer("Bye.".into()), lender("Ann".into()));
    println!("{}\n{}", compose(7).await, lend(8).await);
}
