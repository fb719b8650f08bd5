//! Store callbacks that borrow their argument, and spawn their futures.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::{
    task::JoinSet,
    time::{Duration, timeout},
};

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

const LIMIT: Duration = Duration::from_secs(1);

// ANCHOR: checks
type Outcome = Result<(), Refused>;

/// A function whose future is `Send` and may borrow the request.
type Check = Box<
    dyn for<'a> Fn(&'a Request) -> BoxFuture<'a, Outcome> + Send + Sync,
>;

struct Checks(Vec<Check>);

impl Checks {
    /// Runs the checks in order and stops at the first refusal.
    async fn run(&self, request: &Request) -> Outcome {
        for check in &self.0 {
            check(request).await?;
        }
        Ok(())
    }
}

/// Checks a request in a task, with a time limit. The task returns the
/// request, too. The caller owns the set of tasks.
fn spawn_checks(
    tasks: &mut JoinSet<(Request, Outcome)>,
    checks: &Arc<Checks>,
    request: Request,
) {
    let checks = Arc::clone(checks);
    tasks.spawn(async move {
        let outcome = timeout(LIMIT, checks.run(&request)).await;
        (request, outcome.unwrap_or(Err(Refused::TimedOut)))
    });
}
// ANCHOR_END: checks

// ANCHOR: use
async fn check_size(request: &Request) -> Outcome {
    match request.body.len() <= 10 {
        true => Ok(()),
        false => Err(Refused::TooLarge),
    }
}

fn checks(reserved: Arc<str>) -> Arc<Checks> {
    Arc::new(Checks(vec![
        Box::new(|request| Box::pin(check_size(request))),
        Box::new(move |request| {
            // The future can't borrow from the closure: clone.
            let reserved = Arc::clone(&reserved);
            Box::pin(async move {
                match request.path.starts_with(&*reserved) {
                    true => Err(Refused::Reserved),
                    false => Ok(()),
                }
            })
        }),
    ]))
}
// ANCHOR_END: use

fn request(path: &str, body: &str) -> Request {
    Request { path: path.into(), body: body.into() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    let checks = checks("/admin".into());
    let mut tasks = JoinSet::new();
    spawn_checks(&mut tasks, &checks, request("/tea", "one pot"));
    spawn_checks(&mut tasks, &checks, request("/tea", "all the tea"));
    spawn_checks(&mut tasks, &checks, request("/admin", ""));
    while let Some(checked) = tasks.join_next().await {
        let (request, outcome) = checked?;
        println!("{}: {outcome:?}", request.path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// One check that never returns, or panics, for some requests.
    fn broken(panics: bool) -> Arc<Checks> {
        Arc::new(Checks(vec![Box::new(move |request| {
            Box::pin(async move {
                match request.path.as_str() {
                    "/bad" if panics => panic!("no check"),
                    "/bad" => std::future::pending().await,
                    _ => Ok(()),
                }
            })
        })]))
    }

    #[tokio::test]
    async fn failure_stops_at_the_first_refusal() {
        let mut checks = Checks(vec![
            Box::new(|_| Box::pin(async { Ok(()) })),
            Box::new(|_| Box::pin(async { Err(Refused::Reserved) })),
            Box::new(|_| panic!("the check before it refused")),
        ]);
        let refused = checks.run(&request("", "")).await;
        assert_eq!(refused, Err(Refused::Reserved));
        checks.0.truncate(1);
        assert_eq!(checks.run(&request("", "")).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_check_ends_at_the_limit() {
        let start = Instant::now();
        let checks = broken(false);
        let mut tasks = JoinSet::new();
        for path in ["/bad", "/good"] {
            spawn_checks(&mut tasks, &checks, request(path, ""));
        }
        let first = tasks.join_next().await.expect("a task");
        assert_eq!(first.expect("no panic").1, Ok(()));
        assert_eq!(start.elapsed(), Duration::ZERO);
        let second = tasks.join_next().await.expect("a task");
        let (request, outcome) = second.expect("no panic");
        assert_eq!(request.path, "/bad");
        assert_eq!(outcome, Err(Refused::TimedOut));
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test]
    async fn panic_of_a_check_leaves_the_other_tasks() {
        let checks = broken(true);
        for bad in 0..3 {
            let mut tasks = JoinSet::new();
            for place in 0..3 {
                let path = if place == bad { "/bad" } else { "/" };
                spawn_checks(&mut tasks, &checks, request(path, ""));
            }
            let mut panics = 0;
            while let Some(checked) = tasks.join_next().await {
                match checked {
                    Ok((_, outcome)) => assert_eq!(outcome, Ok(())),
                    Err(error) => panics += error.is_panic() as u32,
                }
            }
            assert_eq!(panics, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_futures_of_the_checks() {
        hazards::at_every_poll(async |cancel| {
            let held = Arc::new(());
            let inside = Arc::clone(&held);
            let checks = Checks(vec![Box::new(move |_| {
                let inside = Arc::clone(&inside);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    drop(inside);
                    Ok(())
                })
            })]);
            let request = request("", "");
            cancel.run(checks.run(&request)).await;
            // One reference here, and one in the check.
            assert_eq!(Arc::strong_count(&held), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_tasks() {
        let mut tasks = JoinSet::new();
        spawn_checks(&mut tasks, &broken(false), request("/bad", ""));
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_checks() {
        let checks = checks("/admin".into());
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let path = if number % 2 == 0 { "/tea" } else { "/admin" };
            spawn_checks(&mut tasks, &checks, request(path, ""));
        }
        let outcomes = tasks.join_all().await;
        let passed = outcomes.iter().filter(|it| it.1.is_ok());
        assert_eq!(passed.count(), 50);
    }

    fn boxed(request: &Request) -> BoxFuture<'_, Outcome> {
        Box::pin(check_size(request))
    }

    /// Without the outer box.
    async fn check_one(
        request: &Request,
        check: impl for<'a> Fn(&'a Request) -> BoxFuture<'a, Outcome>,
    ) -> Outcome {
        check(request).await
    }

    #[tokio::test]
    async fn edges_a_function_that_boxes_its_future() {
        let small = request("/tea", "one pot");
        assert_eq!(check_one(&small, boxed).await, Ok(()));
        let checks = Checks(vec![Box::new(boxed)]);
        assert_eq!(checks.run(&small).await, Ok(()));
    }

    #[tokio::test]
    async fn edges_no_checks_and_empty_requests() {
        let none = Checks(Vec::new());
        assert_eq!(none.run(&request("", "")).await, Ok(()));
        let checks = checks("/admin".into());
        assert_eq!(checks.run(&request("", "")).await, Ok(()));
    }
}
