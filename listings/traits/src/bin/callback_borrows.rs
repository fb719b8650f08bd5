//! Lend an async callback its argument with `AsyncFn(&Request)`.

use tokio::time::{Duration, timeout};

struct Request {
    path: String,
    body: String,
}

#[derive(Debug, PartialEq)]
enum Refused {
    TooLarge,
    Reserved,
    TimedOut,
}

// ANCHOR: check
/// Checks the requests one after another and returns the outcomes in
/// input order. A check that takes longer than `limit` is canceled.
async fn check_all(
    requests: &[Request],
    limit: Duration,
    check: impl AsyncFn(&Request) -> Result<(), Refused>,
) -> Vec<Result<(), Refused>> {
    let mut outcomes = Vec::new();
    for request in requests {
        let outcome = timeout(limit, check(request)).await;
        outcomes.push(outcome.unwrap_or(Err(Refused::TimedOut)));
    }
    outcomes
}
// ANCHOR_END: check

// ANCHOR: use
/// Checks the size of a request, which it borrows.
async fn check_size(request: &Request) -> Result<(), Refused> {
    tokio::task::yield_now().await;
    match request.body.len() <= 10 {
        true => Ok(()),
        false => Err(Refused::TooLarge),
    }
}

/// Checks the size and the path of every request.
async fn check(requests: &[Request]) -> [Vec<Result<(), Refused>>; 2] {
    let limit = Duration::from_secs(1);
    let sizes = check_all(requests, limit, check_size).await;

    // This callback owns what it uses besides: see `move`.
    let reserved = String::from("/admin");
    let paths = check_all(requests, limit, async move |request| {
        tokio::task::yield_now().await;
        match request.path.starts_with(&reserved) {
            true => Err(Refused::Reserved),
            false => Ok(()),
        }
    });
    [sizes, paths.await]
}
// ANCHOR_END: use

fn request(path: &str, body: &str) -> Request {
    Request { path: path.into(), body: body.into() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let requests =
        [request("/tea", "one pot"), request("/admin", "all the tea")];
    let [sizes, paths] = check(&requests).await;
    println!("sizes: {sizes:?}");
    println!("paths: {paths:?}");
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn numbered(count: usize) -> Vec<Request> {
        (0..count).map(|it| request(&it.to_string(), "")).collect()
    }

    #[tokio::test]
    async fn failure_of_one_leaves_the_others() {
        for bad in 0..3 {
            let requests = numbered(3);
            let outcomes =
                check_all(&requests, LIMIT, async |request| {
                    match request.path == bad.to_string() {
                        true => Err(Refused::Reserved),
                        false => Ok(()),
                    }
                });
            for (place, outcome) in outcomes.await.iter().enumerate() {
                assert_eq!(outcome.is_err(), place == bad);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_check_ends_at_the_limit() {
        let requests = numbered(3);
        let start = Instant::now();
        let outcomes = check_all(&requests, LIMIT, async |request| {
            if request.path != "2" {
                std::future::pending::<()>().await;
            }
            Ok(())
        });
        let expected =
            [Err(Refused::TimedOut), Err(Refused::TimedOut), Ok(())];
        assert_eq!(outcomes.await, expected);
        assert_eq!(start.elapsed(), 2 * LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_checks_within_the_limit_pass() {
        let requests = numbered(5);
        let start = Instant::now();
        let outcomes = check_all(&requests, LIMIT, async |_| {
            tokio::time::sleep(LIMIT / 2).await;
            Ok(())
        });
        assert_eq!(outcomes.await, [const { Ok(()) }; 5]);
        assert_eq!(start.elapsed(), 5 * LIMIT / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_starts_no_other_check() {
        hazards::at_every_poll(async |cancel| {
            let requests = numbered(3);
            let count = std::cell::Cell::new(0);
            let checks = check_all(&requests, LIMIT, async |_| {
                count.set(count.get() + 1);
                tokio::task::yield_now().await;
                Ok(())
            });
            let outcomes = cancel.run(checks).await;
            let seen = count.get();
            tokio::task::yield_now().await;
            assert_eq!(count.get(), seen);
            assert!(outcomes.is_none() || seen == 3);
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_a_check_reaches_the_caller() {
        let task = tokio::spawn(async {
            let requests = numbered(2);
            check_all(&requests, LIMIT, panicking).await
        });
        assert!(task.await.is_err_and(|error| error.is_panic()));
    }

    async fn panicking(request: &Request) -> Result<(), Refused> {
        panic!("no check for {}", request.path)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_task_may_run_it() {
        let requests = numbered(2);
        let task = tokio::spawn(async move { check(&requests).await });
        let [sizes, paths] = task.await.expect("no panic");
        assert_eq!(sizes, [Ok(()), Ok(())]);
        assert_eq!(paths, sizes);
    }

    /// What `Fn(&Request) -> Fut` can express.
    async fn check_one<Fut: Future<Output = bool>>(
        request: &Request,
        check: impl Fn(&Request) -> Fut,
    ) -> bool {
        check(request).await
    }

    #[tokio::test]
    async fn edges_a_plain_closure_reads_its_argument_first() {
        let request = request("/tea", "one pot");
        let passed = check_one(&request, |request| {
            let length = request.path.len();
            async move { length == 4 }
        });
        assert!(passed.await);
    }

    #[tokio::test]
    async fn edges_no_requests_and_empty_ones() {
        assert!(check_all(&[], LIMIT, check_size).await.is_empty());
        let [sizes, paths] = check(&[request("", "")]).await;
        assert_eq!([sizes, paths], [[Ok(())], [Ok(())]]);
        // The limit counts bytes: "é" has two.
        let [sizes, _] = check(&[request("", "éééééé")]).await;
        assert_eq!(sizes, [Err(Refused::TooLarge)]);
    }
}
