//! A change that depends on the old value, with `rcu`.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::{JoinSet, yield_now};

use arc_swap::ArcSwap;

/// The hosts that are blocked.
type Blocked = ArcSwap<BTreeSet<&'static str>>;

// ANCHOR: block
/// Blocks a host, and logs it after that. On cancellation, the host is
/// blocked, and the line may be missing. It's never the other way
/// around.
async fn block(blocked: &Blocked, host: &'static str) {
    // The closure runs again if another change was quicker, so all it
    // does is to make the new value from the old one.
    blocked.rcu(|hosts| {
        let mut hosts = BTreeSet::clone(hosts);
        hosts.insert(host);
        hosts
    });
    write_log(host).await;
}
// ANCHOR_END: block

async fn write_log(_host: &str) {
    yield_now().await;
}

/// Blocks two hosts at the same time.
async fn block_two() -> Arc<BTreeSet<&'static str>> {
    let blocked = Arc::new(Blocked::default());
    let mut tasks = JoinSet::new();
    for host in ["a.example", "b.example"] {
        let blocked = Arc::clone(&blocked);
        tasks.spawn(async move { block(&blocked, host).await });
    }
    tasks.join_all().await;
    blocked.load_full()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("blocked: {:?}", block_two().await);
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn overload_two_at_the_same_time() {
        assert_eq!(block_two().await.len(), 2);
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
        block(&blocked, "ä.example").await;
        block(&blocked, "ä.example").await;
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
}
