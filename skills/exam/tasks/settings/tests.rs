//! Followers that are slow or aren't there, and threads that change settings at the same time.

use super::solution::{Config, Settings};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

exam::tests! {
    paused a_follower_applies_the_first_and_each_change,
    paused the_last_settings_before_the_end_are_applied,
    plain settings_count_when_nobody_follows,
    threads a_slow_apply_holds_up_nobody,
    plain updates_of_two_threads_both_count,
}

const MOMENT: Duration = Duration::from_millis(10);

fn config(limit: u32) -> Config {
    let verbose = false;
    Config { limit, verbose }
}

async fn a_follower_applies_the_first_and_each_change() {
    let settings = Settings::new(config(1));
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let follow_one = settings.follow(async |config: &Config| one.push(config.limit));
    let change = async {
        sleep(MOMENT).await;
        settings.set(config(2));
        sleep(MOMENT).await;
        let follow_two = settings.follow(async |config: &Config| two.push(config.limit));
        let change = async move {
            sleep(MOMENT).await;
            settings.update(|config| config.limit += 1);
            sleep(MOMENT).await;
            assert_eq!(settings.get(), config(3), "the newest settings");
            settings.set(config(4));
            settings.set(config(5));
        };
        tokio::join!(follow_two, change);
    };
    tokio::join!(follow_one, change);
    assert_eq!(one, [1, 2, 3, 5], "what the first follower applied");
    assert_eq!(two, [2, 3, 5], "what the second follower applied");
}

async fn the_last_settings_before_the_end_are_applied() {
    let settings = Settings::new(config(1));
    let mut applied = Vec::new();
    let follow = settings.follow(async |config: &Config| {
        applied.push(config.limit);
        sleep(Duration::from_secs(1)).await;
    });
    let end = async move {
        sleep(Duration::from_millis(1500)).await;
        settings.set(config(2));
        drop(settings);
    };
    tokio::join!(follow, end);
    assert_eq!(applied, [1, 2], "what was applied");
}

fn settings_count_when_nobody_follows() {
    let settings = Settings::new(config(1));
    settings.set(config(2));
    assert_eq!(settings.get(), config(2), "set before anyone follows");
    settings.update(|config| config.verbose = true);
    assert!(settings.get().verbose, "updated before anyone follows");
    drop(settings.follow(async |_: &Config| ()));
    settings.set(config(3));
    assert_eq!(
        settings.get(),
        config(3),
        "set after the last follower was gone"
    );
}

async fn a_slow_apply_holds_up_nobody() {
    let settings = Arc::new(Settings::new(config(1)));
    let (applies, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let applied = Mutex::new(Vec::new());
    let follow = settings.follow(async |config: &Config| {
        applied.lock().expect("no panic").push(config.limit);
        applies.notify_one();
        goes_on.notified().await;
    });
    let change = async {
        applies.notified().await;
        let (done, is_done) = tokio::sync::oneshot::channel();
        // A thread of its own: if it hangs, the test doesn't.
        thread::spawn(move || {
            settings.set(config(2));
            settings.update(|config| config.limit += 1);
            _ = done.send(settings.get().limit);
        });
        let limit = timeout(Duration::from_secs(2), is_done).await;
        let limit = limit.expect("set, update, or get waits until the apply has ended");
        assert_eq!(limit, Ok(3), "the newest limit");
        goes_on.notify_one();
        applies.notified().await;
        goes_on.notify_one();
    };
    tokio::join!(follow, change);
    let applied = applied.into_inner().expect("no panic");
    assert_eq!(applied, [1, 3], "what was applied");
}

fn updates_of_two_threads_both_count() {
    let settings = Arc::new(Settings::new(config(1)));
    let (begins, has_begun) = mpsc::channel();
    let (ends, has_ended) = mpsc::channel();
    let (done, all_done) = mpsc::channel();
    let (other, all) = (settings.clone(), done.clone());
    thread::spawn(move || {
        settings.update(|config| {
            _ = begins.send(());
            // The other update may come first, or has to wait for this one.
            _ = has_ended.recv_timeout(Duration::from_secs(1));
            config.limit = 2;
        });
        _ = done.send(settings);
    });
    thread::spawn(move || {
        _ = has_begun.recv();
        other.update(|config| config.verbose = true);
        _ = ends.send(());
        _ = all.send(other);
    });
    let end = || all_done.recv_timeout(Duration::from_secs(5));
    end().expect("an update panicked or hangs");
    let settings = end().expect("an update panicked or hangs");
    let (limit, verbose) = (2, true);
    assert_eq!(
        settings.get(),
        Config { limit, verbose },
        "an update of two is lost"
    );
}
