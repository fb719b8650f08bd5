//! Frames with a length prefix and a maximum length.

// ANCHOR: frames
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Frames of up to 1024 bytes, after four bytes of length. A longer
/// frame is an error on both sides. So is a frame that's cut off,
/// unless the stream ends exactly between its length and its bytes.
fn frames<S: AsyncRead + AsyncWrite>(
    socket: S,
) -> Framed<S, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder()
        .max_frame_length(1024)
        .new_framed(socket)
}
// ANCHOR_END: frames

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, duplex};

// ANCHOR: exchange
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, theirs) = duplex(64);
    let (mut ours, mut theirs) = (frames(ours), frames(theirs));
    theirs.send(Bytes::from("order 1")).await?;
    theirs.send(Bytes::from("order 2")).await?;
    // A header that announces four gigabytes.
    theirs.get_mut().write_all(&[255; 4]).await?;

    while let Some(frame) = ours.next().await {
        match frame {
            Ok(frame) => println!("{frame:?}"),
            Err(error) => println!("error: {error}"),
        }
    }
    Ok(())
}
// ANCHOR_END: exchange

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_reserves_nothing_for_a_false_length()
    -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        let mut ours = frames(ours);
        theirs.write_all(&[255; 4]).await?;
        let error = ours.next().await.expect("an item");
        let kind = error.expect_err("too long").kind();
        assert_eq!(kind, io::ErrorKind::InvalidData);
        assert!(ours.read_buffer().capacity() <= 8192);
        assert!(ours.next().await.is_none(), "it has ended");
        Ok(())
    }

    #[tokio::test]
    async fn failure_leaves_nothing_of_a_frame_that_is_too_long()
    -> io::Result<()> {
        let (ours, _theirs) = duplex(64);
        let mut ours = frames(ours);
        let long = Bytes::from(vec![0; 1025]);
        assert!(ours.send(long).await.is_err());
        assert!(ours.write_buffer().is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn feed_gathers_and_send_writes() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        let mut ours = frames(ours);
        ours.feed(Bytes::from("1")).await?;
        ours.feed(Bytes::from("2")).await?;
        let mut read = [0; 64];
        let nothing = theirs.read(&mut read).now_or_never();
        assert!(nothing.is_none());
        ours.send(Bytes::from("3")).await?;
        assert!(ours.write_buffer().is_empty());
        assert_eq!(theirs.read(&mut read).await?, 15);
        Ok(())
    }

    #[tokio::test]
    async fn edges_parts_keep_what_was_read_ahead() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"\0\0\0\x01aREST").await?;
        let mut ours = frames(ours);
        let frame = ours.next().await.expect("an item")?;
        assert_eq!(&frame[..], b"a");
        assert_eq!(&ours.into_parts().read_buf[..], b"REST");
        Ok(())
    }

    #[tokio::test]
    async fn the_inner_socket_has_lost_it() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"\0\0\0\x01aREST").await?;
        drop(theirs);
        let mut ours = frames(ours);
        assert!(ours.next().await.is_some());
        let mut rest = Vec::new();
        ours.into_inner().read_to_end(&mut rest).await?;
        assert!(rest.is_empty());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_byte() {
        hazards::at_every_poll(async |cancel| {
            let (ours, theirs) = duplex(3);
            let (mut ours, mut theirs) = (frames(ours), frames(theirs));
            let send = async {
                for order in ["order 1", "order 2"] {
                    let sent = theirs.send(Bytes::from(order)).await;
                    sent.expect("it is read");
                }
                drop(theirs);
            };
            let receive = async {
                let first = cancel.run(ours.next()).await.flatten();
                let mut seen: Vec<_> = first.into_iter().collect();
                seen.extend(ours.collect::<Vec<_>>().await);
                seen
            };
            let (seen, ()) = tokio::join!(receive, send);
            let seen: Vec<_> =
                seen.into_iter().map(|it| it.expect("whole")).collect();
            assert_eq!(seen, [&b"order 1"[..], b"order 2"]);
        })
        .await;
    }

    #[test]
    fn the_limit_by_default() {
        let limit = LengthDelimitedCodec::new().max_frame_length();
        assert_eq!(limit, 8 * 1024 * 1024);
    }

    /// The codec has removed the length from its buffer, so exactly
    /// after it, a cut looks like the end of the stream.
    #[tokio::test]
    async fn crash_of_the_peer_in_the_middle_of_a_frame()
    -> io::Result<()> {
        let frame = [0, 0, 0, 4, b'p', b'a', b'i', b'd'];
        for length in 1..frame.len() {
            let (ours, mut theirs) = duplex(64);
            theirs.write_all(&frame[..length]).await?;
            drop(theirs);
            let frame = frames(ours).next().await;
            if length == 4 {
                assert!(frame.is_none());
            } else {
                assert!(frame.expect("an item").is_err(), "{length}");
            }
        }
        Ok(())
    }
}
