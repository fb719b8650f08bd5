//! The newest configuration, for as many tasks as want it.

// ANCHOR: worker
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

/// Works with the newest limit, and ends with the configuration.
async fn work(name: &str, mut config: watch::Receiver<Config>) {
    loop {
        // Copied out, and marked as seen: no guard is held below.
        let limit = config.borrow_and_update().limit;
        println!("{name} works with a limit of {limit}");
        // An error: whoever sets the configuration has gone.
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
    let uploads = work("uploads", config.clone());
    let mails = work("mails", config);
    tokio::join!(uploads, mails, reload(sender));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    run().await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_workers_end_with_the_configuration() {
        let start = Instant::now();
        run().await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
