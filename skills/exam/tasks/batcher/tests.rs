//! When a batch is written, and what happens to it when `run` ends early.

use super::solution::Batcher;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused full_batches_are_written_at_once,
    paused the_delay_starts_with_the_first_item,
    paused canceled_calls_lose_nothing,
    paused canceled_calls_do_not_postpone_a_batch,
    paused a_failed_batch_is_written_without_delay,
    paused a_slow_write_holds_the_senders_back,
}

const DELAY: Duration = Duration::from_millis(100);

fn filled(count: u32) -> (mpsc::Sender<u32>, mpsc::Receiver<u32>) {
    let (sender, items) = mpsc::channel(1000);
    for item in 0..count {
        sender.try_send(item).expect("the queue has room");
    }
    (sender, items)
}

fn milliseconds(start: Instant) -> u128 {
    start.elapsed().as_millis()
}

async fn full_batches_are_written_at_once() {
    let (sender, items) = filled(250);
    drop(sender);
    let mut batcher = Batcher::new(items, 100, DELAY);
    let (start, mut written) = (Instant::now(), Vec::new());
    let result = batcher.run(async |batch: &[u32]| {
        written.push(batch.to_vec());
        Ok(())
    });
    result.await.expect("every write succeeds");
    let sizes: Vec<_> = written.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50], "the sizes of the batches");
    assert!(
        written.concat().into_iter().eq(0..250),
        "the items and their order: {written:?}"
    );
    assert_eq!(
        milliseconds(start),
        0,
        "no more items can come, and yet it waited"
    );
}

async fn the_delay_starts_with_the_first_item() {
    let (sender, items) = filled(0);
    let mut batcher = Batcher::new(items, 100, DELAY);
    let (start, mut written) = (Instant::now(), Vec::new());
    let send = async move {
        sleep(Duration::from_millis(1050)).await;
        for item in 0..5 {
            sender.send(item).await.expect("it runs");
            sleep(Duration::from_millis(30)).await;
        }
        sleep(Duration::from_secs(1)).await;
    };
    let run = batcher.run(async |batch: &[u32]| {
        written.push((milliseconds(start), batch.to_vec()));
        Ok(())
    });
    let (result, ()) = tokio::join!(run, send);
    result.expect("every write succeeds");
    let batches: Vec<_> = written.iter().map(|(_, batch)| batch.clone()).collect();
    assert_eq!(
        batches,
        [vec![0, 1, 2, 3], vec![4]],
        "(milliseconds, batch): {written:?}"
    );
    // A timer is exact to a millisecond.
    let is_right = (1150..1155).contains(&written[0].0) && (1270..1275).contains(&written[1].0);
    assert!(
        is_right,
        "written at 1150 and 1270 ms? (milliseconds, batch): {written:?}"
    );
}

async fn canceled_calls_lose_nothing() {
    let (sender, items) = filled(0);
    let mut batcher = Batcher::new(items, 10, DELAY);
    let mut written = Vec::new();
    let send = async move {
        for item in 0..100 {
            sender.send(item).await.expect("it runs");
            sleep(Duration::from_millis(9)).await;
        }
    };
    let run = async {
        // Most of these calls end while a batch is being filled, the others during a write.
        for _ in 0..50 {
            let run = batcher.run(async |batch: &[u32]| {
                sleep(Duration::from_millis(15)).await;
                written.extend_from_slice(batch);
                Ok(())
            });
            let ended = timeout(Duration::from_millis(23), run).await;
            assert!(
                ended.is_err(),
                "there are more items, and it ended: {ended:?}"
            );
            if written.len() >= 80 {
                break;
            }
        }
        let last = batcher.run(async |batch: &[u32]| {
            written.extend_from_slice(batch);
            Ok(())
        });
        last.await.expect("every write succeeds");
    };
    tokio::join!(run, send);
    let mut once = written.clone();
    once.dedup();
    let expected: Vec<u32> = (0..100).collect();
    assert_eq!(once, expected, "items are missing or not in order");
}

async fn canceled_calls_do_not_postpone_a_batch() {
    let (sender, items) = filled(3);
    let mut batcher = Batcher::new(items, 10, DELAY);
    let (start, mut written) = (Instant::now(), Vec::new());
    while milliseconds(start) < 500 {
        let run = batcher.run(async |batch: &[u32]| {
            written.push((milliseconds(start), batch.to_vec()));
            Ok(())
        });
        assert!(
            timeout(Duration::from_millis(20), run).await.is_err(),
            "a sender is there"
        );
    }
    drop(sender);
    let is_right = written.len() == 1 && written[0].1 == [0, 1, 2] && written[0].0 <= 125;
    assert!(
        is_right,
        "three items, due after 100 ms. (milliseconds, batch): {written:?}"
    );
}

async fn a_failed_batch_is_written_without_delay() {
    let (sender, items) = filled(3);
    let mut batcher = Batcher::new(items, 10, DELAY);
    let (start, mut tries) = (Instant::now(), Vec::new());
    for fails in [true, true, false] {
        let run = batcher.run(async |batch: &[u32]| {
            tries.push((milliseconds(start), batch.to_vec()));
            match fails {
                true => Err(io::Error::other("the disk is full")),
                false => Ok(()),
            }
        });
        match timeout(Duration::from_secs(1), run).await {
            Ok(result) => {
                let error = result.expect_err("the write failed");
                assert_eq!(
                    error.to_string(),
                    "the disk is full",
                    "the error of the write"
                );
            }
            Err(_) => assert!(
                !fails,
                "the batch of a failed write isn't written: {tries:?}"
            ),
        }
    }
    drop(sender);
    let are_whole = tries.iter().all(|(_, batch)| *batch == [0, 1, 2]);
    assert!(
        tries.len() == 3 && are_whole,
        "a batch whose write fails twice: {tries:?}"
    );
    let last = tries[2].0;
    assert!(
        last < 110,
        "the items, due after 100 ms, waited again, until {last} ms: {tries:?}"
    );
}

async fn a_slow_write_holds_the_senders_back() {
    let (sender, items) = mpsc::channel(10);
    let mut batcher = Batcher::new(items, 5, DELAY);
    let mut sent = 0;
    let send = async {
        for item in 0..100 {
            sender.send(item).await.expect("it runs");
            sent += 1;
        }
    };
    let run = batcher.run(async |_: &[u32]| pending().await);
    let both = async { tokio::join!(run, send) };
    let ended = timeout(Duration::from_secs(60), both).await;
    assert!(ended.is_err(), "the first write never ends: {ended:?}");
    assert!(
        sent <= 15,
        "{sent} items were taken: 10 fit into the queue, and 5 into a batch"
    );
}
