//! A task can't run an async closure that borrows its surroundings.

struct Request {
    path: String,
}

// ANCHOR: wrong
/// Returns how many of the requests pass the check.
async fn passed(
    requests: &[Request],
    check: impl AsyncFn(&Request) -> bool,
) -> usize {
    let mut passed = 0;
    for request in requests {
        passed += usize::from(check(request).await);
    }
    passed
}

async fn count(requests: Vec<Request>) -> usize {
    let reserved = String::from("/admin");
    passed(&requests, async |request| {
        !request.path.starts_with(&reserved)
    })
    .await
}

fn start(requests: Vec<Request>) {
    tokio::spawn(count(requests));
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    start(vec![Request { path: "/tea".to_owned() }]);
}
