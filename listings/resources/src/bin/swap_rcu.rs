//! A change that depends on the value of before, with `rcu`.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::{JoinSet, yield_now};

use arc_swap::ArcSwap;

/// The hosts that are blocked.
type Blocked = ArcSwap<BTreeSet<&'static str>>;

// ANCHOR: block
/// The closure runs again where another one was quicker, so it does
/// nothing but to make the new value of the old one.
async fn block(blocked: &Blocked, host: &'static str) {
    write_log(host).await;
    blocked.rcu(|hosts| {
        let mut hosts = BTreeSet::clone(hosts);
        hosts.insert(host);
        hosts
    });
}
// ANCHOR_END: block

async fn write_log(_host: &str) {
    yield_now().await;
}

/// Blocks two hosts at once.
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
    use super::*;

    #[tokio::test]
    async fn both_are_there() {
        assert_eq!(block_two().await.len(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn none_of_many_is_lost() {
        let count = Arc::new(ArcSwap::from_pointee(0));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let count = Arc::clone(&count);
            tasks.spawn(async move {
                for _ in 0..20 {
                    count.rcu(|count| **count + 1);
                    yield_now().await;
                }
            });
        }
        tasks.join_all().await;
        assert_eq!(**count.load(), 1000);
    }
}
