//! A codec for your own protocol: bytes to messages, and back.

use std::{io, string::FromUtf8Error};

use bytes::{Buf, BufMut, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, duplex};
use tokio_util::codec::{Decoder, Encoder, Framed};

// ANCHOR: types
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Order(u32),
    Note(String),
}

/// One message is wrong, but it's clear where the next one starts.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Malformed {
    #[error("there is no message of kind {0}")]
    Kind(u8),
    #[error("an order of {0} bytes")]
    Order(usize),
    #[error("a note that is not text")]
    Note(#[from] FromUtf8Error),
}

/// From the decoder: the connection can't be used anymore. From the
/// encoder, `TooLong`: nothing was written.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    #[error("the connection failed")]
    Io(#[from] io::Error),
}
// ANCHOR_END: types

// ANCHOR: decode
/// A kind, two bytes of length, and a body.
struct ShopCodec;

const HEAD: usize = 3;
const LONGEST: usize = 1000;

impl Decoder for ShopCodec {
    type Item = Result<Message, Malformed>;
    type Error = Broken;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> Result<Option<Self::Item>, Broken> {
        let [kind, high, low, ..] = **bytes else {
            return Ok(None); // Called again with more bytes.
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > LONGEST {
            return Err(Broken::TooLong(length));
        }
        let missing = (HEAD + length).saturating_sub(bytes.len());
        if missing > 0 {
            bytes.reserve(missing);
            return Ok(None);
        }
        // The message is complete. Valid or not, it's removed.
        bytes.advance(HEAD);
        Ok(Some(parse(kind, bytes.split_to(length))))
    }
}
// ANCHOR_END: decode

// ANCHOR: encode
fn parse(kind: u8, body: BytesMut) -> Result<Message, Malformed> {
    match kind {
        1 => <[u8; 4]>::try_from(&body[..])
            .map(|number| Message::Order(u32::from_be_bytes(number)))
            .map_err(|_| Malformed::Order(body.len())),
        2 => Ok(Message::Note(String::from_utf8(Vec::from(body))?)),
        kind => Err(Malformed::Kind(kind)),
    }
}

impl Encoder<Message> for ShopCodec {
    type Error = Broken;

    /// Writes the whole message, or nothing.
    fn encode(
        &mut self,
        message: Message,
        bytes: &mut BytesMut,
    ) -> Result<(), Broken> {
        let (kind, body) = match message {
            Message::Order(number) => (1, number.to_be_bytes().into()),
            Message::Note(text) => (2, text.into_bytes()),
        };
        let length = u16::try_from(body.len())
            .ok()
            .filter(|length| usize::from(*length) <= LONGEST)
            .ok_or(Broken::TooLong(body.len()))?;
        bytes.put_u8(kind);
        bytes.put_u16(length);
        bytes.put_slice(&body);
        Ok(())
    }
}
// ANCHOR_END: encode

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Broken> {
    let (ours, theirs) = duplex(64);
    let mut theirs = Framed::new(theirs, ShopCodec);
    theirs.send(Message::Order(7)).await?;
    theirs.get_mut().write_all(&[9, 0, 1, 0]).await?;
    theirs.send(Message::Note("by Friday".to_owned())).await?;
    theirs.get_mut().write_all(&[1, 255, 255]).await?;
    drop(theirs);

    let mut ours = Framed::new(ours, ShopCodec);
    while let Some(frame) = ours.next().await {
        match frame {
            Ok(Ok(message)) => println!("{message:?}"),
            Ok(Err(malformed)) => println!("skipped: {malformed}"),
            Err(broken) => println!("the end: {broken}"),
        }
    }
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncReadExt;
    use tokio_util::codec::FramedRead;

    use super::*;

    fn messages() -> Vec<Message> {
        vec![
            Message::Order(7),
            Message::Note(String::new()),
            Message::Note("by Friday, günstig".to_owned()),
            Message::Order(u32::MAX),
        ]
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for message in messages() {
            ShopCodec.encode(message, &mut bytes).expect("short");
        }
        bytes.to_vec()
    }

    // ANCHOR: every_split
    /// Reads the bytes in three pieces, cut at these two places.
    async fn read_in_pieces(
        bytes: &[u8],
        first: usize,
        second: usize,
    ) -> Vec<Message> {
        let (one, rest) = bytes.split_at(first);
        let (two, three) = rest.split_at(second - first);
        let socket = AsyncReadExt::chain(one, two);
        let socket = AsyncReadExt::chain(socket, three);
        FramedRead::new(socket, ShopCodec)
            .map(|frame| frame.expect("whole").expect("well formed"))
            .collect()
            .await
    }

    #[tokio::test]
    async fn edges_wherever_the_bytes_are_cut() {
        let bytes = encoded();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let read = read_in_pieces(&bytes, first, second).await;
                assert_eq!(read, messages(), "{first}, {second}");
            }
        }
    }
    // ANCHOR_END: every_split

    /// Writes pieces of random length, while the reader drops `next`
    /// at random and calls it again.
    async fn read_impatiently(bytes: &[u8], seed: u32) -> Vec<Message> {
        let mut state = seed;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1);
            (state >> 16) % below
        };
        let (ours, mut theirs) = duplex(8);
        let mut ours = Framed::new(ours, ShopCodec);
        let (mut read, mut rest) = (Vec::new(), bytes);
        while read.len() < messages().len() {
            // Polling manually uses up the budget of this task.
            tokio::task::yield_now().await;
            let length = rest.len().min(random(6) as usize);
            let written = theirs.write(&rest[..length]);
            if let Some(written) = written.now_or_never() {
                rest = &rest[written.expect("it is read")..];
            }
            for _ in 0..random(3) {
                let next = ours.next().now_or_never().flatten();
                read.extend(next.map(|frame| {
                    frame.expect("whole").expect("well formed")
                }));
            }
        }
        read
    }

    #[tokio::test]
    async fn cancel_of_next_loses_nothing() {
        let bytes = encoded();
        for seed in 0..1000 {
            let read = read_impatiently(&bytes, seed).await;
            assert_eq!(read, messages(), "{seed}");
        }
    }

    #[test]
    fn slow_bytes_one_by_one() {
        let (mut bytes, mut read) = (BytesMut::new(), Vec::new());
        for byte in encoded() {
            bytes.put_u8(byte);
            let frame = ShopCodec.decode(&mut bytes).expect("short");
            read.extend(frame.map(|it| it.expect("well formed")));
        }
        assert_eq!(read, messages());
        assert!(bytes.is_empty());
    }

    #[test]
    fn overload_with_nonsense_reserves_little() {
        let mut state = 1u32;
        for _ in 0..10_000 {
            let bytes = std::array::from_fn::<u8, 64, _>(|place| {
                state = state.wrapping_mul(1_664_525) + 1;
                // Kinds and lengths that are right, sometimes.
                let small = [0, 0, 1, 2, 4][state as usize % 5];
                let random = (state >> 24) as u8;
                if place % 7 < 4 { small } else { random }
            });
            let mut bytes = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = ShopCodec.decode(&mut bytes) {}
            assert!(bytes.capacity() <= 2 * (HEAD + LONGEST));
        }
    }

    #[test]
    fn failure_of_encode_leaves_nothing_behind() {
        let mut bytes = BytesMut::new();
        for length in [LONGEST + 1, 70_000] {
            let long = Message::Note("x".repeat(length));
            assert!(ShopCodec.encode(long, &mut bytes).is_err());
            assert!(bytes.is_empty());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn crash_of_the_peer_in_the_middle_of_a_message() {
        let bytes = encoded();
        let half = &bytes[..bytes.len() - 1];
        let frames = FramedRead::new(half, ShopCodec);
        let mut frames: Vec<_> = frames.collect().await;
        assert!(matches!(frames.pop(), Some(Err(Broken::Io(_)))));
        assert!(frames.iter().all(Result::is_ok));
    }
}
