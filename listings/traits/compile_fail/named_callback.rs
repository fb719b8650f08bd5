//! An async function that borrows isn't an `Fn(&Request) -> Fut`.

struct Request {
    path: String,
}

// ANCHOR: wrong
/// A check of requests.
struct Check<F>(F);

fn check<F, Fut>(check: F) -> Check<F>
where
    F: Fn(&Request) -> Fut,
    Fut: Future<Output = bool>,
{
    Check(check)
}

async fn is_short(request: &Request) -> bool {
    request.path.len() < 100
}

fn main() {
    check(is_short);
}
// ANCHOR_END: wrong
