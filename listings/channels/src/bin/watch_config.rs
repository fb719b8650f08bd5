//! Share the latest configuration with any number of tasks.

// ANCHOR: worker
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

/// Applies the newest limit until the last sender is dropped.
///
/// Limits that were replaced before they were read are skipped, and a
/// limit may be applied again. If this is canceled, a new call starts
/// with the newest limit.
async fn work(
    mut config: watch::Receiver<Config>,
    mut apply: impl FnMut(u32),
) {
    loop {
        // Copy it and mark it as seen; no guard is held below.
        let limit = config.borrow_and_update().limit;
        apply(limit);
        // Fails when all senders are dropped and the newest value
        // was seen.
        if config.changed().await.is_err() {
            return;
        }
    }
}
// ANCHOR_END: worker

struct Config {
    limit: u32,
}

async fn reload(config: watch::Sender<Config>) {
    sleep(Duration::from_secs(1)).await;
    config.send_modify(|config| config.limit = 20);
    sleep(Duration::from_secs(1)).await;
    // Wakes nobody: nothing has changed.
    let changed = config.send_if_modified(|config| {
        std::mem::replace(&mut config.limit, 20) != 20
    });
    println!("reloaded; changed: {changed}");
}

async fn run() {
    let (sender, config) = watch::channel(Config { limit: 8 });
    let uploads = work(config.clone(), |limit| {
        println!("uploads work with a limit of {limit}");
    });
    let mails = work(config, |limit| {
        println!("mails work with a limit of {limit}");
    });
    tokio::join!(uploads, mails, reload(sender));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    run().await;
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_workers() {
        let start = Instant::now();
        run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_right_after_a_change_is_seen() {
        let (sender, config) = watch::channel(Config { limit: 8 });
        let mut seen = Vec::new();
        let change = async {
            sender.send_modify(|config| config.limit = 20);
            drop(sender);
        };
        let work = within(HOUR, work(config, |limit| seen.push(limit)));
        tokio::join!(work, change);
        assert_eq!(seen, [8, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_workers_see_the_newest() {
        let (sender, config) = watch::channel(Config { limit: 0 });
        let mut seen = Vec::new();
        let change = async {
            for limit in 1..=10 {
                sender.send_modify(|config| config.limit = limit);
            }
            drop(sender);
        };
        tokio::join!(work(config, |limit| seen.push(limit)), change);
        assert_eq!(seen, [0, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_newest_limit() {
        at_every_poll(async |cancel| {
            let (sender, config) = watch::channel(Config { limit: 0 });
            let change = async {
                for limit in 1..=3 {
                    sender.send_modify(|config| config.limit = limit);
                    tokio::task::yield_now().await;
                }
                drop(sender);
            };
            let one = cancel.run(work(config.clone(), |_| ()));
            tokio::join!(one, change);
            let mut seen = 0;
            within(HOUR, work(config, |limit| seen = limit)).await;
            assert_eq!(seen, 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_sender_is_left() {
        let (sender, config) = watch::channel(Config { limit: 8 });
        drop(sender);
        let mut seen = Vec::new();
        work(config, |limit| seen.push(limit)).await;
        assert_eq!(seen, [8]);
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_same_limit_is_applied_again() {
        let (sender, config) = watch::channel(Config { limit: 8 });
        let mut seen = Vec::new();
        let change = async {
            sender.send_replace(Config { limit: 8 });
            drop(sender);
        };
        tokio::join!(work(config, |limit| seen.push(limit)), change);
        // `send_replace` compares nothing.
        assert_eq!(seen, [8, 8]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_all_end_with_the_newest() {
        for _ in 0..100 {
            let (sender, config) = watch::channel(Config { limit: 0 });
            let mut workers = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let config = config.clone();
                workers.spawn(async move {
                    let mut last = 0;
                    work(config, |limit| last = limit).await;
                    last
                });
            }
            for limit in 1..=20 {
                sender.send_modify(|config| config.limit = limit);
            }
            drop(sender);
            assert_eq!(workers.join_all().await, [20; 4]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_worker_leaves_the_other() {
        let (sender, config) = watch::channel(Config { limit: 0 });
        let broken = work(config.clone(), |limit| {
            assert_eq!(limit, 0, "it can't work with {limit}");
        });
        let broken = tokio::spawn(broken);
        let other = tokio::spawn(async move {
            let mut last = 0;
            work(config, |limit| last = limit).await;
            last
        });
        for limit in 1..=3 {
            tokio::task::yield_now().await;
            sender.send_modify(|config| config.limit = limit);
        }
        drop(sender);
        let error = broken.await.expect_err("it panics");
        assert!(error.to_string().contains("can't work with"));
        assert_eq!(other.await.expect("no panic"), 3);
    }
}
