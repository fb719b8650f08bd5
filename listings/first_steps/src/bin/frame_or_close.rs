//! Many tasks share a write half under a lock: whole messages only.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};

// ANCHOR: shared
const PATIENCE: Duration = Duration::from_millis(100);

/// The write half, or `None` after a message was cut off.
struct Shared<W>(Mutex<Option<W>>);

impl<W: AsyncWrite + Unpin> Shared<W> {
    /// Writes a whole message, or drops the writer. After an error or a
    /// timeout, or if this is dropped, the slot is empty, so nothing
    /// can follow a partial message.
    async fn write(&self, message: &str) -> io::Result<()> {
        let mut slot = timeout(PATIENCE, self.0.lock()).await?;
        let writing = async {
            let closed = io::ErrorKind::BrokenPipe;
            let mut writer = slot.take().ok_or(closed)?;
            writer.write_all(message.as_bytes()).await?;
            writer.flush().await?;
            *slot = Some(writer);
            Ok(())
        };
        timeout(PATIENCE, writing).await?
    }
}
// ANCHOR_END: shared

use tokio::io::{AsyncReadExt, duplex};
use tokio::time::sleep;

/// The peer reads nothing for a while. What does it get then?
async fn received(pause: Duration) -> io::Result<String> {
    let (ours, mut theirs) = duplex(16);
    let shared = Shared(Mutex::new(Some(ours)));
    let reporting = async move {
        for table in 1..=2 {
            let message = format!("table {table}: soup is ready\n");
            if let Err(error) = shared.write(&message).await {
                println!("table {table}: {error}");
            }
        }
    };
    let mut text = String::new();
    let reading = async {
        sleep(pause).await;
        theirs.read_to_string(&mut text).await
    };
    tokio::join!(reporting, reading).1?;
    Ok(text)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let received = received(PATIENCE + PATIENCE / 2).await?;
    println!("received: {received:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_peers_get_nothing_after_half_a_message() {
        let late = PATIENCE + PATIENCE / 2;
        let text = received(late).await.expect("it ends");
        assert_eq!(text, "table 1: soup is");
        let text = received(PATIENCE / 2).await.expect("it ends");
        let both = "table 1: soup is ready\ntable 2: soup is ready\n";
        assert_eq!(text, both);
    }

    /// Unlike an `OwnedWriteHalf`, this write half sends no EOF.
    #[tokio::test(start_paused = true)]
    async fn slow_peers_see_the_end_when_both_halves_are_dropped() {
        let (ours, mut theirs) = duplex(4);
        let (reader, writer) = tokio::io::split(ours);
        let shared = Shared(Mutex::new(Some(writer)));
        shared.write("table 1\n").await.expect_err("it is slow");
        let mut text = Vec::new();
        let reading = theirs.read_to_end(&mut text);
        assert!(timeout(HOUR, reading).await.is_err());
        drop(reader);
        let end = within(HOUR, theirs.read_to_end(&mut text)).await;
        assert_eq!(end.expect("EOF"), 0);
        assert_eq!(text, b"tabl");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_of_many_tasks_do_not_mix() {
        let (ours, mut theirs) = duplex(4);
        let ours = Slow::new(ours, Duration::from_millis(1));
        let shared = Shared(Mutex::new(Some(ours)));
        let reporting = async move {
            let one = shared.write("table 1 is ready\n");
            let two = shared.write("table 2 is ready\n");
            tokio::try_join!(one, two)
        };
        let mut text = String::new();
        let reading = theirs.read_to_string(&mut text);
        let (reported, read) = tokio::join!(reporting, reading);
        reported.expect("it reads");
        read.expect("it's text");
        assert_eq!(text, "table 1 is ready\ntable 2 is ready\n");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_have_the_whole_limit_after_the_lock() {
        let (ours, mut theirs) = duplex(16);
        let ours = Slow::new(ours, PATIENCE * 7 / 10);
        let shared = Shared(Mutex::new(Some(ours)));
        let reporting = async move {
            let one = shared.write("1 is ready\n");
            let two = shared.write("2 is ready\n");
            // The lock is free again only after two slow writes.
            let three = shared.write("3 is late\n");
            let all = tokio::join!(one, two, three);
            let four = shared.write("4 is ready\n").await;
            (all, four)
        };
        let mut text = String::new();
        let reading = theirs.read_to_string(&mut text);
        let (written, read) = tokio::join!(reporting, reading);
        read.expect("it's text");
        let ((one, two, three), four) = written;
        one.and(two).and(four).expect("each had the whole limit");
        let error = three.expect_err("it waits for too long");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(text, "1 is ready\n2 is ready\n4 is ready\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_peer_ends_every_waiting_write() {
        let shared = Shared(Mutex::new(Some(Silent)));
        for _ in 0..3 {
            let writing = shared.write("table 1 is ready\n");
            within(HOUR, writing).await.expect_err("silent");
        }
        let shared = Shared(Mutex::new(Some(Silent)));
        let three = async {
            tokio::join!(
                shared.write("1\n"),
                shared.write("2\n"),
                shared.write("3\n"),
            )
        };
        let (one, two, three) = within(HOUR, three).await;
        assert!(one.is_err() && two.is_err() && three.is_err());
    }

    #[tokio::test]
    async fn failure_of_one_write_ends_all() {
        let writer = Failing::after(Vec::new(), 1);
        let shared = Shared(Mutex::new(Some(writer)));
        // The flush after the first write fails already.
        let error = shared.write("one\n").await.expect_err("it fails");
        assert_eq!(error.to_string(), "disk full");
        let error = shared.write("two\n").await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn edges_of_messages() {
        let shared = Shared(Mutex::new(Some(Vec::new())));
        for message in ["", "ä\n", &"x".repeat(1_000_000)] {
            shared.write(message).await.expect("it's in memory");
        }
        let written = shared.0.into_inner().expect("it's open");
        assert_eq!(written.len(), 1_000_003);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_whole_messages_or_a_closed_connection() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(4);
            let shared = Shared(Mutex::new(Some(ours)));
            let writing = async move {
                let canceled = shared.write("table 1\n");
                let completed = cancel.run(canceled).await.is_some();
                (completed, shared.write("table 2\n").await)
            };
            let mut text = String::new();
            let reading = theirs.read_to_string(&mut text);
            let ((completed, second), read) =
                tokio::join!(writing, reading);
            read.expect("it ends");
            match second {
                Ok(()) if completed => {
                    assert_eq!(text, "table 1\ntable 2\n");
                }
                Ok(()) => assert_eq!(text, "table 2\n"),
                Err(_) => assert!("table 1\n".starts_with(&text)),
            }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_mix_messages() {
        let (ours, mut theirs) = duplex(16);
        let shared = Arc::new(Shared(Mutex::new(Some(ours))));
        let mut tasks = JoinSet::new();
        for table in 100..150 {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                shared.write(&format!("table {table}\n")).await
            });
        }
        drop(shared);
        let mut text = String::new();
        let reading = theirs.read_to_string(&mut text);
        let (written, read) = tokio::join!(tasks.join_all(), reading);
        read.expect("it's text");
        assert_eq!(written.len(), 50);
        let mut lines: Vec<_> = text.lines().collect();
        let good = written.iter().filter(|it| it.is_ok()).count();
        assert!(lines.len() >= good);
        let last = lines.pop().unwrap_or_default();
        assert!(lines.iter().all(|line| line.len() == 9), "{text}");
        assert!("table 1".starts_with(&last[..last.len().min(7)]));
    }
}
