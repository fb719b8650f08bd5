//! Bytes in pieces, signs of life, the limit, and a connection that ends too early.

use super::solution::{Frames, MOST};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::timeout;
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite};

exam::tests! {
    paused frames_arrive_in_pieces,
    paused frames_up_to_the_limit,
    plain a_long_frame_is_an_error_at_once,
    paused a_sign_of_life_holds_nothing_up,
    paused an_end_inside_a_frame_is_an_error,
    paused a_refused_frame_leaves_nothing,
}

/// What arrives when the bytes come in the two pieces, and then the end.
async fn received(first: &[u8], second: &[u8]) -> Vec<io::Result<Bytes>> {
    let (mut device, ours) = duplex(1024 * 1024);
    let receiving = FramedRead::new(ours, Frames::default()).collect();
    let sending = async {
        device.write_all(first).await.expect("room");
        tokio::time::sleep(Duration::from_secs(1)).await;
        device.write_all(second).await.expect("room");
        drop(device);
    };
    tokio::join!(receiving, sending).0
}

const TWO: &[u8] = b"\0\0\0\x07order 1\0\0\0\x08order 22";

async fn frames_arrive_in_pieces() {
    for (first, second) in (0..TWO.len()).map(|middle| TWO.split_at(middle)) {
        let frames = received(first, second).await.into_iter();
        let frames = frames.collect::<io::Result<Vec<_>>>();
        let frames = frames.expect("two whole frames");
        let at = first.len();
        assert_eq!(
            frames,
            ["order 1", "order 22"],
            "in two pieces, cut at {at}"
        );
    }
}

async fn frames_up_to_the_limit() {
    let longest = Bytes::from(vec![b'x'; MOST]);
    let mut bytes = BytesMut::new();
    let encoded = Frames::default().encode(longest.clone(), &mut bytes);
    encoded.expect("the longest frame may be sent");
    let frames = received(&bytes, b"").await;
    let frame = frames.into_iter().next().expect("a frame");
    assert!(frame.expect("may be received") == longest, "other bytes");
}

fn a_long_frame_is_an_error_at_once() {
    for length in [MOST + 1, u32::MAX as usize] {
        let header = (length as u32).to_be_bytes();
        let mut bytes = BytesMut::from(&header[..]);
        let decoded = Frames::default().decode(&mut bytes);
        assert!(
            decoded.is_err(),
            "it waits for a frame of {length} bytes, which is longer than MOST"
        );
        let capacity = bytes.capacity();
        assert!(capacity < 2 * MOST, "{capacity} bytes are reserved for it");
    }
}

/// All in one packet, after which the device says nothing.
async fn a_sign_of_life_holds_nothing_up() {
    let (mut device, ours) = duplex(1024);
    let mut frames = FramedRead::new(ours, Frames::default());
    let packet = b"\0\0\0\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\x01b\0\0\0\0";
    device.write_all(packet).await.expect("room");
    for expected in ["a", "b"] {
        let frame = timeout(Duration::from_secs(1), frames.next()).await;
        let frame = frame.expect("a frame has arrived, and isn't returned");
        let frame = frame.expect("no end").expect("no error");
        assert_eq!(frame, expected);
    }
    drop(device);
    let end = frames.next().await;
    assert!(end.is_none(), "a proper end after a sign of life: {end:?}");
}

async fn an_end_inside_a_frame_is_an_error() {
    let (one, second) = TWO.split_at(11);
    for length in 1..second.len() {
        for (first, torn) in [(one, &second[..length]), (&TWO[..11 + length], b"")] {
            let mut frames = received(first, torn).await.into_iter();
            let frame = frames.next().expect("the first frame is whole");
            assert_eq!(frame.expect("the first frame is whole"), "order 1");
            let last = frames.next();
            assert!(
                matches!(last, Some(Err(_))),
                "the last frame ends after {length} bytes, with its header: {last:?}"
            );
        }
    }
    let frames = received(TWO, b"").await;
    assert_eq!(frames.len(), 2, "a proper end is no error: {frames:?}");
}

async fn a_refused_frame_leaves_nothing() {
    let mut frames = FramedWrite::new(Vec::new(), Frames::default());
    let long = frames.send(Bytes::from(vec![b'x'; MOST + 1])).await;
    assert!(long.is_err(), "a frame longer than MOST can be sent");
    let sent = frames.send(Bytes::from_static(b"order 1")).await;
    sent.expect("a short frame may follow");
    let bytes = frames.get_ref().escape_ascii().to_string();
    assert_eq!(bytes, r"\x00\x00\x00\x07order 1", "the bytes sent");
}
