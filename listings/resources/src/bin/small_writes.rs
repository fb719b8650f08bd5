//! Count how often small writes go to the blocking pool.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{fs::File, io::AsyncWrite};

// ANCHOR: export
use tokio::io::{AsyncWriteExt, BufWriter};

/// Writes a thousand lines. Every write to the file is a trip.
async fn export(
    file: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    for order in 0..1000 {
        let line = format!("order {order:05}\n");
        file.write_all(line.as_bytes()).await?;
    }
    file.flush().await
}

async fn count_trips() -> io::Result<(u32, u32)> {
    let mut file = CountedFile::new()?;
    export(&mut file).await?;
    let mut buffered = BufWriter::new(CountedFile::new()?);
    export(&mut buffered).await?;
    Ok((file.writes, buffered.get_ref().writes))
}
// ANCHOR_END: export

/// A file that counts what is written to it.
struct CountedFile {
    file: File,
    writes: u32,
}

impl CountedFile {
    fn new() -> io::Result<Self> {
        let file = File::from_std(tempfile::tempfile()?);
        Ok(Self { file, writes: 0 })
    }
}

impl AsyncWrite for CountedFile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let file = Pin::new(&mut self.file);
        let written = file.poll_write(context, bytes);
        self.writes += u32::from(written.is_ready());
        written
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(context)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (trips, buffered) = count_trips().await?;
    println!("line by line:  {trips} trips");
    println!("with a buffer: {buffered} trips");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_buffer_saves_most_of_them() -> io::Result<()> {
        // 12,000 bytes, and a buffer of 8 KiB.
        assert_eq!(count_trips().await?, (1000, 2));
        Ok(())
    }
}
