//! A peer that is slow, sends at the same time, breaks off, or lies about a length.

use super::solution::exchange;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

exam::tests! {
    paused messages_go_both_ways,
    paused a_message_in_pieces_stays_whole,
    paused both_can_send_much_at_once,
    paused a_slow_receiver_does_not_hold_up_sending,
    paused a_message_cut_off_is_an_error,
    paused a_header_cut_off_is_an_error,
    paused an_end_right_after_a_header_is_an_error,
    paused a_message_that_is_too_long_is_an_error,
}

const MOMENT: Duration = Duration::from_millis(10);
const MINUTE: Duration = Duration::from_secs(60);

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("it's short");
    [&length.to_be_bytes(), message].concat()
}

async fn write(peer: &mut DuplexStream, bytes: &[u8]) {
    let written = timeout(MINUTE, peer.write_all(bytes)).await;
    let written = written.expect("the peer writes, and nobody reads");
    written.expect("the stream is open");
}

/// The next message that the peer receives.
async fn read(peer: &mut DuplexStream) -> Vec<u8> {
    let read = async {
        let length = peer.read_u32().await?;
        let mut message = vec![0; length.try_into().expect("32 bits fit")];
        peer.read_exact(&mut message).await?;
        io::Result::Ok(message)
    };
    let message = timeout(MINUTE, read).await;
    let message = message.expect("the peer waits for a message, and none is sent");
    message.expect("the stream is open")
}

/// All that was passed on, after the end.
async fn rest(mut incoming: mpsc::Receiver<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(message) = incoming.recv().await {
        messages.push(message);
    }
    messages
}

async fn messages_go_both_ways() {
    let (ours, mut theirs) = duplex(64);
    let (send, outgoing) = mpsc::channel(10);
    let (incoming, received) = mpsc::channel(10);
    let peer = async {
        for message in [&b"one"[..], b"", b"three"] {
            send.send(message.to_vec()).await.expect("it runs");
            assert_eq!(read(&mut theirs).await, message, "what the peer received");
            write(&mut theirs, &frame(message)).await;
        }
        drop(send);
        assert!(
            theirs.read_u8().await.is_err(),
            "its direction hasn't ended"
        );
        write(&mut theirs, &frame(b"the last")).await;
        theirs.shutdown().await.expect("the stream is open");
    };
    let both = async { tokio::join!(exchange(ours, outgoing, incoming), peer) };
    let (ended, ()) = timeout(MINUTE, both)
        .await
        .expect("both have ended, and it runs");
    ended.expect("nothing failed");
    let expected = [&b"one"[..], b"", b"three", b"the last"];
    assert_eq!(rest(received).await, expected, "what was passed on");
}

async fn a_message_in_pieces_stays_whole() {
    let (ours, mut theirs) = duplex(1024);
    let (send, outgoing) = mpsc::channel(10);
    let (incoming, received) = mpsc::channel(100);
    let peer = async move {
        for byte in frame(b"in pieces").into_iter().chain(frame(b"and another")) {
            write(&mut theirs, &[byte]).await;
            sleep(MOMENT).await;
            send.send(b"meanwhile".to_vec()).await.expect("it runs");
            sleep(MOMENT).await;
            assert_eq!(
                read(&mut theirs).await,
                b"meanwhile",
                "what the peer received"
            );
        }
        drop(send);
        theirs.shutdown().await.expect("the stream is open");
    };
    let both = async { tokio::join!(exchange(ours, outgoing, incoming), peer) };
    let (ended, ()) = timeout(MINUTE, both)
        .await
        .expect("both have ended, and it runs");
    ended.expect("nothing failed");
    let expected = [&b"in pieces"[..], b"and another"];
    assert_eq!(rest(received).await, expected, "what was passed on");
}

async fn both_can_send_much_at_once() {
    let (ours, mut theirs) = duplex(1024);
    let (send, outgoing) = mpsc::channel(10);
    let (incoming, received) = mpsc::channel(10);
    let large = vec![7; 100_000];
    send.try_send(large.clone()).expect("the queue has room");
    drop(send);
    let peer = async {
        // It reads only after it has written.
        write(&mut theirs, &frame(&large)).await;
        assert!(read(&mut theirs).await == large, "what the peer received");
        theirs.shutdown().await.expect("the stream is open");
    };
    let both = async { tokio::join!(exchange(ours, outgoing, incoming), peer) };
    let (ended, ()) = timeout(2 * MINUTE, both)
        .await
        .expect("both have ended, and it runs");
    ended.expect("nothing failed");
    assert!(rest(received).await == [&large[..]], "what was passed on");
}

async fn a_slow_receiver_does_not_hold_up_sending() {
    let (ours, mut theirs) = duplex(1024);
    let (send, outgoing) = mpsc::channel(10);
    let (incoming, received) = mpsc::channel(1);
    let peer = async move {
        for _ in 0..5 {
            write(&mut theirs, &frame(b"for a slow receiver")).await;
        }
        sleep(MOMENT).await;
        for _ in 0..5 {
            send.send(b"out".to_vec()).await.expect("it runs");
            assert_eq!(read(&mut theirs).await, b"out", "what the peer received");
        }
        theirs.shutdown().await.expect("the stream is open");
        drop(send);
        rest(received).await
    };
    let both = async { tokio::join!(exchange(ours, outgoing, incoming), peer) };
    let ended = timeout(2 * MINUTE, both).await;
    let (ended, passed) = ended.expect("both have ended, and it runs");
    ended.expect("nothing failed");
    assert_eq!(
        passed,
        vec![b"for a slow receiver".to_vec(); 5],
        "what was passed on"
    );
}

/// Returns how it ended after a whole message and the first bytes of another one.
async fn cut_off_after(bytes: usize) -> io::Result<()> {
    let whole = frame(b"whole");
    let (ours, mut theirs) = duplex(1024);
    let (send, outgoing) = mpsc::channel(10);
    let (incoming, received) = mpsc::channel(10);
    write(&mut theirs, &whole).await;
    write(&mut theirs, &whole[..bytes]).await;
    drop((theirs, send));
    let ended = timeout(MINUTE, exchange(ours, outgoing, incoming)).await;
    assert_eq!(rest(received).await, [b"whole"], "what was passed on");
    ended.expect("the peer is gone, and it runs")
}

async fn a_message_cut_off_is_an_error() {
    cut_off_after(0)
        .await
        .expect("the peer ended between messages");
    for bytes in 5..9 {
        let ended = cut_off_after(bytes).await;
        assert!(
            ended.is_err(),
            "the peer ended after {bytes} bytes of a message, and it's Ok"
        );
    }
}

async fn a_header_cut_off_is_an_error() {
    for bytes in 1..4 {
        let ended = cut_off_after(bytes).await;
        assert!(
            ended.is_err(),
            "the peer ended after {bytes} bytes of a length, and it's Ok"
        );
    }
}

async fn an_end_right_after_a_header_is_an_error() {
    let ended = cut_off_after(4).await;
    assert!(
        ended.is_err(),
        "the peer sent only the length of a message, and it's Ok"
    );
}

async fn a_message_that_is_too_long_is_an_error() {
    const LONGEST: u32 = 1024 * 1024;
    for length in [LONGEST + 1, u32::MAX, LONGEST] {
        let (ours, mut theirs) = duplex(1024);
        let (_send, outgoing) = mpsc::channel(10);
        let (incoming, mut received) = mpsc::channel(10);
        write(&mut theirs, &length.to_be_bytes()).await;
        let mut running = pin!(exchange(ours, outgoing, incoming));
        let ended = timeout(MINUTE, running.as_mut()).await;
        if length == LONGEST {
            assert!(ended.is_err(), "a message may have 1 MiB: {ended:?}");
            let message = vec![7; 1024 * 1024];
            let send = async {
                write(&mut theirs, &message).await;
                received.recv().await
            };
            let passed = tokio::select! {
                ended = running => panic!("it ended early: {ended:?}"),
                passed = send => passed,
            };
            assert!(passed == Some(message), "what was passed on");
        } else {
            let ended = ended.expect("the peer announces too much, and it waits for it");
            assert!(ended.is_err(), "a message of {length} bytes is too long");
        }
    }
}
