//! Fails: a_header_cut_off_is_an_error, a_message_that_is_too_long_is_an_error
//! Two loops, but a header that is cut off is still taken for the end, and the peer still chooses how much is allocated.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        while let Some(message) = outgoing.recv().await {
            writer.write_u32(message.len() as u32).await?;
            writer.write_all(&message).await?;
        }
        writer.shutdown().await
    };
    let receive = async {
        while let Some(message) = read(&mut reader).await? {
            let passed = incoming.send(message).await;
            passed.map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        Ok(())
    };
    tokio::try_join!(send, receive)?;
    Ok(())
}

async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let length = match reader.read_u32().await {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        length => length?,
    };
    let mut message = vec![0; length as usize];
    reader.read_exact(&mut message).await?;
    Ok(Some(message))
}
