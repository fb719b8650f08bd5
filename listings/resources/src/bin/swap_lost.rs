//! Wrong: a value is loaded, changed, and stored, and another change is lost.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::{JoinSet, yield_now};

// ANCHOR: wrong
use arc_swap::ArcSwap;

/// The hosts that are blocked.
type Blocked = ArcSwap<BTreeSet<&'static str>>;

/// Wrong: anything stored between `load` and `store` is overwritten.
async fn block(blocked: &Blocked, host: &'static str) {
    let mut hosts = BTreeSet::clone(&blocked.load());
    write_log(host).await;
    hosts.insert(host);
    blocked.store(Arc::new(hosts));
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test]
    async fn overload_two_at_the_same_time() {
        assert_eq!(block_two().await.len(), 1);
    }
}
