//! The future of a plain closure can't borrow the closure's argument.

struct Request {
    path: String,
}

// ANCHOR: wrong
/// Returns whether the request passes the check.
async fn passes<F, Fut>(request: &Request, check: F) -> bool
where
    F: Fn(&Request) -> Fut,
    Fut: Future<Output = bool>,
{
    check(request).await
}

async fn is_short(request: &Request) -> bool {
    passes(request, |request| async { request.path.len() < 100 }).await
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let request = Request { path: "/tea".to_owned() };
    println!("short: {}", is_short(&request).await);
}
