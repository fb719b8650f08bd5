//! Half-closed, silent, and slow peers, and streams with a buffer.

use super::solution::relay;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    paused both_directions_are_counted,
    paused an_end_is_passed_on,
    paused a_silent_direction_is_not_idle,
    paused silence_of_both_is_idle,
    paused a_peer_that_does_not_read_is_idle,
    paused a_slow_reader_is_not_idle,
    paused buffered_streams_are_flushed,
}

const IDLE: Duration = Duration::from_secs(10);

type Relay = JoinHandle<io::Result<(u64, u64)>>;

/// Two peers, and the relay between them.
fn start() -> (DuplexStream, DuplexStream, Relay) {
    let ((a, to_a), (b, to_b)) = (duplex(64), duplex(64));
    (a, b, tokio::spawn(relay(to_a, to_b, IDLE)))
}

async fn counts(relay: Relay) -> (u64, u64) {
    let counts = relay.await.expect("no panic");
    counts.expect("both directions have ended in time")
}

async fn times_out(relay: Relay, since: Instant) {
    let error = relay.await.expect("no panic").expect_err("nothing moves");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    let passed = since.elapsed();
    assert!(
        passed >= IDLE && passed < 3 * IDLE,
        "silent for {IDLE:?}, and the relay ended after {passed:?}"
    );
}

async fn both_directions_are_counted() {
    let (mut a, mut b, relay) = start();
    let (mut to_a, mut to_b) = ([0; 3], [0; 300]);
    a.write_all(b"hello").await.expect("relayed");
    b.read_exact(&mut to_b[..5]).await.expect("relayed");
    b.write_all(b"ok\n").await.expect("relayed");
    a.read_exact(&mut to_a).await.expect("relayed");
    assert_eq!(&to_a, b"ok\n");
    let (sent, got) = tokio::join!(a.write_all(&[b'x'; 300]), b.read_exact(&mut to_b));
    sent.and(got).expect("relayed");
    drop((a, b));
    assert_eq!(counts(relay).await, (305, 3));
}

async fn an_end_is_passed_on() {
    for a_ends in [true, false] {
        let (a, b, relay) = start();
        let (mut client, mut server) = if a_ends { (a, b) } else { (b, a) };
        client.write_all(b"order 1").await.expect("room");
        client.shutdown().await.expect("in memory");
        let mut order = String::new();
        let read = timeout(IDLE / 2, server.read_to_string(&mut order)).await;
        read.expect("the end isn't passed on").expect("relayed");
        assert_eq!(order, "order 1");
        sleep(IDLE / 2).await;
        server.write_all(b"ok").await.expect("relayed");
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("relayed");
        assert_eq!(answer, "ok", "one direction has ended, the other hasn't");
        let expected = if a_ends { (7, 2) } else { (2, 7) };
        assert_eq!(counts(relay).await, expected);
    }
}

async fn a_silent_direction_is_not_idle() {
    for a_sends in [true, false] {
        let (a, b, relay) = start();
        let (mut sends, mut reads) = if a_sends { (a, b) } else { (b, a) };
        for _ in 0..20 {
            sleep(IDLE / 2).await;
            let sent = sends.write_all(b"x").await;
            sent.expect("one direction is busy, but the relay has ended");
            let read = reads.read_u8().await;
            read.expect("one direction is busy, but the relay has ended");
        }
        drop((sends, reads));
        let expected = if a_sends { (20, 0) } else { (0, 20) };
        assert_eq!(counts(relay).await, expected);
    }
}

async fn silence_of_both_is_idle() {
    let (start_of_relay, (_a, mut b, relay)) = (Instant::now(), start());
    times_out(relay, start_of_relay).await;
    assert!(matches!(b.read(&mut [0]).await, Ok(0)), "b is still open");
    // One has ended, and the other is silent.
    let (start_of_relay, (a, _b, relay)) = (Instant::now(), start());
    drop(a);
    times_out(relay, start_of_relay).await;
}

async fn a_peer_that_does_not_read_is_idle() {
    for (a_sends, ends) in [(true, false), (true, true), (false, false), (false, true)] {
        let (since, (a, b, relay)) = (Instant::now(), start());
        let (mut sends, mut reads_nothing) = if a_sends { (a, b) } else { (b, a) };
        if ends {
            reads_nothing.shutdown().await.expect("in memory");
        }
        let sending =
            tokio::spawn(async move { while sends.write_all(&[b'x'; 64]).await.is_ok() {} });
        let relay = timeout(10 * IDLE, times_out(relay, since)).await;
        relay.expect("no byte moves, and the relay goes on");
        sending.await.expect("no panic");
    }
}

async fn a_slow_reader_is_not_idle() {
    // All arrives at once, and leaves in pieces.
    let ((mut sends, to_a), (mut reads, to_b)) = (duplex(8192), duplex(64));
    let relay = tokio::spawn(relay(to_a, to_b, IDLE));
    sends.write_all(&[b'x'; 5000]).await.expect("room");
    let (mut total, mut buffer) = (0, [0; 32]);
    while total < 5000 {
        sleep(IDLE / 4).await;
        match reads.read(&mut buffer).await.expect("in memory") {
            0 => panic!("bytes moved all the time, and the relay ended after {total}"),
            length => total += length,
        }
    }
    drop((sends, reads));
    assert_eq!(counts(relay).await, (5000, 0));
}

async fn buffered_streams_are_flushed() {
    let ((mut a, to_a), (mut b, to_b)) = (duplex(64), duplex(64));
    let relay = tokio::spawn(relay(BufStream::new(to_a), BufStream::new(to_b), IDLE));
    let (mut order, mut answer) = ([0; 7], [0; 2]);
    a.write_all(b"order 1").await.expect("room");
    let read = timeout(IDLE / 2, b.read_exact(&mut order)).await;
    read.expect("the order stays in a buffer").expect("relayed");
    b.write_all(b"ok").await.expect("room");
    let read = timeout(IDLE / 2, a.read_exact(&mut answer)).await;
    read.expect("the answer stays in a buffer")
        .expect("relayed");
    drop((a, b));
    assert_eq!(counts(relay).await, (7, 2));
}
