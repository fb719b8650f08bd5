//! Each direction has a loop of its own, in which no read or write is dropped half-way. Only `fill_buf` tells an end between messages.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

const LONGEST: usize = 1024 * 1024;

pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    outgoing: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let (reader, writer) = tokio::io::split(stream);
    tokio::try_join!(send(writer, outgoing), receive(reader, incoming))?;
    Ok(())
}

async fn send(
    mut writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(message) = outgoing.recv().await {
        check(message.len())?;
        writer.write_u32(message.len() as u32).await?;
        writer.write_all(&message).await?;
        writer.flush().await?;
    }
    writer.shutdown().await
}

async fn receive(
    reader: impl AsyncRead + Unpin,
    incoming: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    while !reader.fill_buf().await?.is_empty() {
        let length = reader.read_u32().await? as usize;
        check(length)?;
        let mut message = vec![0; length];
        reader.read_exact(&mut message).await?;
        let passed = incoming.send(message).await;
        passed.map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
    Ok(())
}

fn check(length: usize) -> io::Result<()> {
    if length > LONGEST {
        let problem = format!("a message of {length} bytes is too long");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(())
}
