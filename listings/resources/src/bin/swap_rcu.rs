//! A change that depends on the old value, with `rcu`.

use std::{collections::BTreeSet, io, sync::Arc};

use tokio::task::{JoinSet, yield_now};

use arc_swap::ArcSwap;

/// The hosts that are blocked.
type Blocked = ArcSwap<BTreeSet<&'static str>>;

// ANCHOR: block
/// Blocks a host, and logs it after that. After an error or a
/// cancellation, the host is blocked, and the line may be missing. It's
/// never the other way around.
async fn block(
    blocked: &Blocked,
    host: &'static str,
) -> io::Result<()> {
    // The closure runs again if another change was faster, so it only
    // computes the new value from the old one.
    blocked.rcu(|hosts| {
        let mut hosts = BTreeSet::clone(hosts);
        hosts.insert(host);
        hosts
    });
    write_log(host).await
}
// ANCHOR_END: block

async fn write_log(host: &str) -> io::Result<()> {
    yield_now().await;
    match host {
        "a bug" => panic!("a bug in the log"),
        "silence" => std::future::pending().await,
        "full" => Err(io::Error::other("disk full")),
        _ => Ok(()),
    }
}

/// Blocks two hosts at the same time.
async fn block_two() -> io::Result<Arc<BTreeSet<&'static str>>> {
    let blocked = Arc::new(Blocked::default());
    let mut tasks = JoinSet::new();
    for host in ["a.example", "b.example"] {
        let blocked = Arc::clone(&blocked);
        tasks.spawn(async move { block(&blocked, host).await });
    }
    while let Some(logged) = tasks.join_next().await {
        logged.map_err(io::Error::other)??;
    }
    Ok(blocked.load_full())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    println!("blocked: {:?}", block_two().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn overload_two_at_the_same_time() -> io::Result<()> {
        assert_eq!(block_two().await?.len(), 2);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_logs_no_host_that_is_not_blocked() {
        at_every_poll(async |cancel| {
            let blocked = Blocked::default();
            cancel.run(block(&blocked, "a.example")).await;
            let began = cancel.polls() > 0;
            assert_eq!(blocked.load().contains("a.example"), began);
        })
        .await;
    }

    #[tokio::test]
    async fn again_blocks_one_host() {
        let blocked = Blocked::default();
        for _ in 0..2 {
            assert!(block(&blocked, "ä.example").await.is_ok());
        }
        assert_eq!(blocked.load().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_lose_no_host() {
        const HOSTS: [&str; 8] =
            ["a", "b", "c", "d", "e", "f", "g", "h"];
        for _ in 0..50 {
            let blocked = Arc::new(Blocked::default());
            let mut tasks = JoinSet::new();
            for host in HOSTS {
                let blocked = Arc::clone(&blocked);
                tasks.spawn(async move { block(&blocked, host).await });
            }
            tasks.join_all().await;
            assert_eq!(blocked.load().len(), HOSTS.len());
        }
    }

    #[tokio::test]
    async fn panic_of_the_log_leaves_the_host_blocked() {
        let blocked = Arc::new(Blocked::default());
        let task = Arc::clone(&blocked);
        let panics =
            tokio::spawn(async move { block(&task, "a bug").await });
        assert!(panics.await.is_err());
        assert!(block(&blocked, "a.example").await.is_ok());
        assert_eq!(blocked.load().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_log_holds_up_nobody() {
        let blocked = Blocked::default();
        let mut silent = Box::pin(block(&blocked, "silence"));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        let other = block(&blocked, "b");
        assert!(hazards::within(hazards::HOUR, other).await.is_ok());
        assert_eq!(blocked.load().len(), 2);
    }

    #[tokio::test]
    async fn failure_of_the_log_is_returned() {
        let blocked = Blocked::default();
        let error = block(&blocked, "full").await.expect_err("full");
        assert_eq!(error.to_string(), "disk full");
        assert!(blocked.load().contains("full"));
    }
}
