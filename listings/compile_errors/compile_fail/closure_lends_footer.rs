//! Wrong: the future borrows a variable that belongs to the closure.

// ANCHOR: wrong
use futures::future::BoxFuture;

fn composer(footer: String) -> impl Fn() -> BoxFuture<'static, String> {
    move || Box::pin(async { format!("Hello! {footer}") })
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{}", composer("Bye.".to_owned())().await);
}
