//! Fails: a_message_in_pieces_stays_whole, both_can_send_much_at_once, a_slow_receiver_does_not_hold_up_sending, a_header_cut_off_is_an_error, a_message_that_is_too_long_is_an_error
//! The program in task.md. `select!` drops a read that has taken bytes; a write or a full `incoming` stops the other direction; a header that is cut off looks like the end; the peer chooses the length.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Sends all of `outgoing`, then ends its direction of the stream. Passes what it receives to
/// `incoming` until the peer ends its direction. Returns after both, or at the first error.
///
/// A message is its length (four bytes, big-endian), then at most 1 MiB. It's an error if the
/// peer sends more, or ends within a message.
pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut sends, mut receives) = (true, true);
    while sends || receives {
        tokio::select! {
            message = read(&mut reader), if receives => match message? {
                Some(message) => {
                    let passed = incoming.send(message).await;
                    passed.map_err(|_| io::ErrorKind::BrokenPipe)?;
                }
                None => receives = false,
            },
            message = outgoing.recv(), if sends => match message {
                Some(message) => {
                    writer.write_u32(message.len() as u32).await?;
                    writer.write_all(&message).await?;
                }
                None => {
                    writer.shutdown().await?;
                    sends = false;
                }
            },
        }
    }
    Ok(())
}

/// `None` at the end of the stream.
async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let length = match reader.read_u32().await {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        length => length?,
    };
    let mut message = vec![0; length as usize];
    reader.read_exact(&mut message).await?;
    Ok(Some(message))
}
