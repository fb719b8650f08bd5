//! A closure in a variable doesn't know that its future borrows.

use futures::future::BoxFuture;

struct Request {
    path: String,
}

// ANCHOR: wrong
/// A function whose boxed future may borrow the request.
type Check = Box<dyn for<'a> Fn(&'a Request) -> BoxFuture<'a, bool>>;

fn check_length() -> Check {
    let check = |request: &Request| -> BoxFuture<'_, bool> {
        Box::pin(async { request.path.len() < 100 })
    };
    Box::new(check)
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let request = Request { path: "/tea".to_owned() };
    println!("short: {}", check_length()(&request).await);
}
