//! Ask, wait for a while, then abort, and tell what was left.

// ANCHOR: stop
use tokio::time::{Duration, timeout};
use tokio_util::{sync::CancellationToken, task::JoinMap};

/// What became of the tasks at the end.
#[derive(Debug, Default, PartialEq)]
struct Ended {
    done: Vec<&'static str>,
    panicked: Vec<&'static str>,
    aborted: Vec<&'static str>,
}

/// Asks all tasks to stop, and aborts those that have not done so after
/// the grace period. When it returns, none of them runs any more.
async fn stop(
    stop: &CancellationToken,
    mut tasks: JoinMap<&'static str, ()>,
    grace: Duration,
) -> Ended {
    stop.cancel();
    let mut ended = Ended::default();
    if timeout(grace, join_all(&mut tasks, &mut ended)).await.is_err() {
        tasks.abort_all();
        join_all(&mut tasks, &mut ended).await;
    }
    ended
}

async fn join_all(
    tasks: &mut JoinMap<&'static str, ()>,
    ended: &mut Ended,
) {
    while let Some((name, result)) = tasks.join_next().await {
        match result {
            Ok(()) => ended.done.push(name),
            Err(error) if error.is_panic() => ended.panicked.push(name),
            Err(_) => ended.aborted.push(name),
        }
    }
}
// ANCHOR_END: stop

// ANCHOR: run
async fn run() -> Ended {
    let token = CancellationToken::new();
    let mut tasks = JoinMap::new();
    tasks.spawn("importer", token.clone().cancelled_owned());
    let asked = token.clone();
    tasks.spawn("mailer", async move {
        asked.cancelled().await;
        // It finishes what it has begun.
        tokio::time::sleep(Duration::from_secs(3)).await;
    });
    // It waits for a peer that is silent, and does not listen.
    tasks.spawn("exporter", std::future::pending());
    stop(&token, tasks, Duration::from_secs(10)).await
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_listen_is_aborted() {
        let start = tokio::time::Instant::now();
        let ended = run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        assert_eq!(ended.done, ["importer", "mailer"]);
        assert_eq!(ended.aborted, ["exporter"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_holds_nothing() {
        let mut tasks = JoinMap::new();
        tasks.spawn("broken", async {
            std::panic::resume_unwind(Box::new("broken"));
        });
        let token = CancellationToken::new();
        let ended = stop(&token, tasks, Duration::from_secs(1)).await;
        assert_eq!(ended.panicked, ["broken"]);
    }
}
