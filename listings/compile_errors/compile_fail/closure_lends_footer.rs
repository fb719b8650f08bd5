//! Wrong: the future borrows a variable that belongs to the closure.

// ANCHOR: wrong
use futures::future::BoxFuture;

fn composer(
    footer: String,
) -> impl Fn(u32) -> BoxFuture<'static, String> {
    move |issue| Box::pin(async { format!("Issue {issue}. {footer}") })
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{}", composer("Bye.".to_owned())(7).await);
}
