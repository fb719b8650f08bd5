//! Fails: an_end_right_after_a_header_is_an_error
//! `LengthDelimitedCodec` has already taken the header out of its buffer: that is empty, and the stream ends without an error.

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::codec::LengthDelimitedCodec;

pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(stream);
    let mut codec = LengthDelimitedCodec::builder();
    codec.max_frame_length(1024 * 1024);
    let (mut reader, mut writer) = (codec.new_read(reader), codec.new_write(writer));
    let send = async {
        while let Some(message) = outgoing.recv().await {
            writer.send(Bytes::from(message)).await?;
        }
        SinkExt::<Bytes>::close(&mut writer).await
    };
    let receive = async {
        while let Some(message) = reader.try_next().await? {
            let passed = incoming.send(message.to_vec()).await;
            passed.map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        Ok(())
    };
    tokio::try_join!(send, receive)?;
    Ok(())
}
