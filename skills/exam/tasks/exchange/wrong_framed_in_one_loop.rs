//! Fails: both_can_send_much_at_once, a_slow_receiver_does_not_hold_up_sending, an_end_right_after_a_header_is_an_error, a_message_that_is_too_long_is_an_error
//! No read is lost, but a write stops the reads, and a full `incoming` the writes. The codec allows 8 MiB, and takes an end after a header for the end.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(stream);
    let mut reader = FramedRead::new(reader, LengthDelimitedCodec::new());
    let mut writer = FramedWrite::new(writer, LengthDelimitedCodec::new());
    let (mut sends, mut receives) = (true, true);
    while sends || receives {
        tokio::select! {
            message = reader.next(), if receives => match message {
                Some(message) => {
                    let passed = incoming.send(message?.to_vec()).await;
                    passed.map_err(|_| io::ErrorKind::BrokenPipe)?;
                }
                None => receives = false,
            },
            message = outgoing.recv(), if sends => match message {
                Some(message) => writer.send(Bytes::from(message)).await?,
                None => {
                    SinkExt::<Bytes>::close(&mut writer).await?;
                    sends = false;
                }
            },
        }
    }
    Ok(())
}
