//! After a greeting in text, the same connection carries binary frames.

// ANCHOR: switched
use std::io;

use futures::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, timeout},
};
use tokio_util::codec::{
    Framed, LengthDelimitedCodec, LinesCodec, LinesCodecError,
};

const LIMIT: Duration = Duration::from_secs(10);

/// Reads the greeting, and returns it with the frames after it.
/// `map_codec` keeps the bytes that were read ahead: here the first
/// frame, which may arrive together with the greeting.
///
/// # Errors
///
/// There's no whole greeting within ten seconds or 40 bytes.
async fn greeted<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
) -> Result<(String, Framed<S, LengthDelimitedCodec>), LinesCodecError>
{
    let lines = LinesCodec::new_with_max_length(40);
    // `WholeLines`, as above: half a greeting is an error.
    let mut lines = Framed::new(socket, WholeLines(lines));
    let greeting = timeout(LIMIT, lines.next()).await;
    let greeting = greeting
        .map_err(io::Error::from)?
        .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))??;
    let frames = lines.map_codec(|_| {
        LengthDelimitedCodec::builder()
            .max_frame_length(1024)
            .new_codec()
    });
    Ok((greeting, frames))
}
// ANCHOR_END: switched

use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Without [`Decoder::decode_eof`]: the start of a line is an error.
struct WholeLines(LinesCodec);

impl Decoder for WholeLines {
    type Item = String;
    type Error = LinesCodecError;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> Result<Option<String>, LinesCodecError> {
        self.0.decode(bytes)
    }
}

use tokio::io::{AsyncWriteExt, duplex};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), LinesCodecError> {
    let (ours, mut theirs) = duplex(64);
    theirs.write_all(b"SHOP/2\n\0\0\0\x04paid").await?;
    drop(theirs);
    let (greeting, mut frames) = greeted(ours).await?;
    println!("greeting {greeting:?}");
    while let Some(frame) =
        timeout(LIMIT, frames.next()).await.map_err(io::Error::from)?
    {
        println!("frame {:?}", String::from_utf8_lossy(&frame?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};

    use super::*;

    const BYTES: &[u8] = b"SHOP/2\n\0\0\0\x04paid\0\0\0\x02ok";

    #[tokio::test]
    async fn edges_wherever_the_bytes_are_cut() {
        for cut in 0..BYTES.len() {
            let (ours, mut theirs) = duplex(64);
            let (first, second) = BYTES.split_at(cut);
            let write = async {
                theirs.write_all(first).await.expect("room");
                tokio::task::yield_now().await;
                theirs.write_all(second).await.expect("room");
                drop(theirs);
            };
            let read = async {
                let (greeting, frames) =
                    greeted(ours).await.expect("greeting");
                assert_eq!(greeting, "SHOP/2");
                frames.map(|it| it.expect("whole")).collect().await
            };
            let (frames, ()): (Vec<_>, _) = tokio::join!(read, write);
            assert_eq!(frames, [&b"paid"[..], b"ok"], "{cut}");
        }
    }

    /// The reason for `map_codec`.
    #[tokio::test]
    async fn into_inner_loses_what_was_read_ahead() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(BYTES).await.expect("room");
        drop(theirs);
        let mut lines = Framed::new(ours, LinesCodec::new());
        assert!(lines.next().await.is_some());
        let socket = lines.into_inner();
        let frames = Framed::new(socket, LengthDelimitedCodec::new());
        assert_eq!(frames.count().await, 0);
    }

    #[tokio::test]
    async fn crash_of_the_peer_in_the_middle_of_the_greeting() {
        for length in 0.."SHOP/2\n".len() {
            let (ours, mut theirs) = duplex(64);
            theirs.write_all(&BYTES[..length]).await.expect("room");
            drop(theirs);
            assert!(greeted(ours).await.is_err(), "{length}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let greeting = within(HOUR, greeted(Silent)).await;
        let Err(error) = greeting else { panic!("it's silent") };
        assert_eq!(error.to_string(), "timed out");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_greeting_loses_no_frame() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(BYTES).await.expect("room");
        drop(theirs);
        let ours = Slow::new(ours, LIMIT / 2);
        let (_, frames) = greeted(ours).await.expect("greeting");
        assert_eq!(frames.count().await, 2);
    }

    #[tokio::test]
    async fn overload_by_a_greeting_without_an_end() {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(&[b'x'; 1000]).await.expect("room");
        let Err(error) = greeted(ours).await else {
            panic!("the greeting has no end")
        };
        assert_eq!(error.to_string(), "max line length exceeded");
    }

    #[tokio::test]
    async fn overload_by_a_frame_that_is_too_long() {
        for (length, is_ok) in [(1024_u32, true), (1025, false)] {
            let (ours, mut theirs) = duplex(2000);
            theirs.write_all(b"SHOP/2\n").await.expect("room");
            theirs.write_u32(length).await.expect("room");
            let body = vec![b'x'; length as usize];
            theirs.write_all(&body).await.expect("room");
            let (_, mut frames) = greeted(ours).await.expect("whole");
            let frame = frames.next().await.expect("an item");
            assert_eq!(frame.is_ok(), is_ok, "{length}");
        }
    }

    #[tokio::test]
    async fn failure_of_the_connection_is_returned() {
        let (ours, theirs) = duplex(64);
        let failing = Failing::after(ours, 0);
        let Err(error) = greeted(failing).await else {
            panic!("the connection fails")
        };
        assert_eq!(error.to_string(), "disk full");
        drop(theirs);
        let (ours, _) = duplex(64);
        assert!(greeted(ours).await.is_err());
    }

    #[tokio::test]
    async fn cancel_of_next_loses_no_frame() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(3);
            let write = async {
                theirs.write_all(BYTES).await.expect("it is read");
                drop(theirs);
            };
            let read = async {
                let (_, mut frames) =
                    greeted(ours).await.expect("greeting");
                let first = cancel.run(frames.next()).await.flatten();
                frames.count().await + usize::from(first.is_some())
            };
            assert_eq!(tokio::join!(read, write).0, 2);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(BYTES).await.expect("room");
        let greeting = tokio::spawn(greeted(ours)).await;
        assert!(greeting.expect("no panic").is_ok());
    }
}
