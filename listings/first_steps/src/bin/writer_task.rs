//! Many tasks write to one socket: one task owns its write half.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

// ANCHOR: write
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes whole messages until all senders are dropped, then sends
/// EOF.
///
/// # Errors
///
/// The peer takes more than a minute for a message, or the connection
/// fails. Then, or if this future is dropped, every later `send` fails,
/// and messages that were sent earlier may be lost.
async fn write_messages(
    mut messages: mpsc::Receiver<String>,
    writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    while let Some(message) = messages.recv().await {
        let writing = writer.write_all(message.as_bytes());
        timeout(PATIENCE, writing).await??;
        if messages.is_empty() {
            // No more to write for now.
            timeout(PATIENCE, writer.flush()).await??;
        }
    }
    timeout(PATIENCE, writer.shutdown()).await?
}
// ANCHOR_END: write

// ANCHOR: cook
/// Reports two dishes. Stops when the connection is closed.
async fn cook(table: u32, messages: mpsc::Sender<String>) {
    for dish in ["soup", "cake"] {
        let message = format!("table {table}: {dish} is ready\n");
        if messages.send(message).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn report(writer: impl AsyncWrite + Unpin) -> io::Result<()> {
    let (sender, messages) = mpsc::channel(8);
    let cooks = async move {
        // Each cook has a sender, and the last one is moved here.
        tokio::join!(cook(1, sender.clone()), cook(2, sender));
    };
    let (written, ()) =
        tokio::join!(write_messages(messages, writer), cooks);
    written
}
// ANCHOR_END: cook

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let waiter = TcpStream::connect(listener.local_addr()?);
    let (mut waiter, (socket, _)) =
        tokio::try_join!(waiter, listener.accept())?;
    let (_reader, writer) = socket.into_split();
    report(writer).await?;
    let mut text = String::new();
    waiter.read_to_string(&mut text).await?;
    print!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::duplex;

    use super::*;

    fn is_whole(text: &str) -> bool {
        let dishes = ["soup", "cake"];
        text.split_inclusive('\n').all(|line| {
            let end = line.split_once(": ").map(|it| it.1);
            dishes.iter().any(|dish| {
                end == Some(format!("{dish} is ready\n").as_str())
            })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn slow_peers_get_each_message_whole() {
        let (ours, mut theirs) = duplex(4);
        let mut text = String::new();
        let reading = theirs.read_to_string(&mut text);
        let ours = Slow::new(ours, PATIENCE / 60);
        let both = async { tokio::join!(report(ours), reading) };
        let (reported, read) = within(HOUR, both).await;
        reported.expect("it reads");
        read.expect("it's text");
        assert!(is_whole(&text), "{text}");
        assert_eq!(text.lines().count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_peer_ends_the_writer_and_its_senders() {
        let reported = within(HOUR, report(Silent)).await;
        let error = reported.expect_err("it doesn't read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_senders_is_not_an_error_and_all_is_sent() {
        let (ours, mut theirs) = duplex(64);
        let (sender, messages) = mpsc::channel(8);
        let send = async move {
            let message = "table 1: soup is ready\n".to_owned();
            sender.send(message).await.expect("it's open");
            tokio::time::sleep(HOUR).await;
            drop(sender);
        };
        let read = async {
            let mut buffer = [0; 64];
            let reading = theirs.read(&mut buffer);
            let length = within(PATIENCE, reading).await;
            assert_eq!(length.expect("flushed"), 23);
        };
        let written =
            tokio::join!(write_messages(messages, ours), send, read).0;
        written.expect("it ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_for_room() {
        let (sender, messages) = mpsc::channel(8);
        let (ours, _theirs) = duplex(4);
        let writing = write_messages(messages, ours);
        let sending = async {
            let mut sent = 0;
            while sender.send("x".repeat(10_000)).await.is_ok() {
                sent += 1;
            }
            sent
        };
        let both = async { tokio::join!(writing, sending) };
        let (written, sent) = within(HOUR, both).await;
        written.expect_err("the peer doesn't read");
        assert!(sent <= 10, "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_connection_stops_the_senders() {
        for good in 0..2 {
            let writer = Failing::after(Vec::new(), good);
            let reported = within(HOUR, report(writer)).await;
            let error = reported.expect_err("it fails");
            assert_eq!(error.to_string(), "disk full");
        }
    }

    #[tokio::test]
    async fn stop_when_the_last_sender_is_dropped() {
        let (sender, messages) = mpsc::channel(8);
        for message in ["one\n", "two\n"] {
            sender.send(message.to_owned()).await.expect("room");
        }
        drop(sender);
        let mut text = Vec::new();
        let written = write_messages(messages, &mut text).await;
        written.expect("it's in memory");
        assert_eq!(text, b"one\ntwo\n");
    }

    #[tokio::test]
    async fn edges_no_message_an_empty_one_and_a_large_one() {
        for message in ["", "ä\n", &"x".repeat(1_000_000)] {
            let (sender, messages) = mpsc::channel(1);
            sender.send(message.to_owned()).await.expect("room");
            drop(sender);
            let mut text = Vec::new();
            let written = write_messages(messages, &mut text).await;
            written.expect("it's in memory");
            assert_eq!(text, message.as_bytes());
        }
        let (_, messages) = mpsc::channel(1);
        let written = write_messages(messages, Vec::new()).await;
        written.expect("nothing to do");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_sender_leaves_no_half_message() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(4);
            let (sender, messages) = mpsc::channel(1);
            let mut text = String::new();
            let reading = theirs.read_to_string(&mut text);
            let sending = async {
                let first = cook(1, sender.clone());
                cancel.run(first).await;
                cook(2, sender).await;
            };
            let writing = write_messages(messages, ours);
            let (written, read, ()) =
                tokio::join!(writing, reading, sending);
            written.expect("it's read");
            read.expect("it's text");
            assert!(is_whole(&text), "{text}");
            assert_eq!(text.matches("table 2").count(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(4);
            let mut text = String::new();
            let reading = theirs.read_to_string(&mut text);
            let reporting = cancel.run(report(ours));
            within(HOUR, async { tokio::join!(reporting, reading) })
                .await
                .1
                .expect("it ends");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_mix_messages() {
        let (ours, mut theirs) = duplex(16);
        let (sender, messages) = mpsc::channel(8);
        let mut cooks = tokio::task::JoinSet::new();
        for table in 0..100 {
            cooks.spawn(cook(table, sender.clone()));
        }
        drop(sender);
        let mut text = String::new();
        let reading = theirs.read_to_string(&mut text);
        let writing = write_messages(messages, ours);
        let (written, read) = tokio::join!(writing, reading);
        written.expect("it's read");
        read.expect("it's text");
        assert!(is_whole(&text), "{text}");
        assert_eq!(text.lines().count(), 200);
    }
}
