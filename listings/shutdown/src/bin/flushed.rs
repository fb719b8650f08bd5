//! A buffered writer is flushed before it goes.

// ANCHOR: flushed
use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};

/// Writes the day's orders to the journal.
async fn write_orders(
    journal: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut journal = BufWriter::new(journal);
    for order in 1..=3 {
        let line = format!("order {order}\n");
        journal.write_all(line.as_bytes()).await?;
    }
    // Flushes, and tells the other side that no more will come.
    journal.shutdown().await
}
// ANCHOR_END: flushed

/// Returns what is in the journal afterwards.
async fn journal() -> io::Result<String> {
    let mut journal = Vec::new();
    write_orders(&mut journal).await?;
    String::from_utf8(journal).map_err(io::Error::other)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!(
        "lines in the journal: {}",
        journal().await?.lines().count()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_is_written() -> io::Result<()> {
        assert_eq!(journal().await?, "order 1\norder 2\norder 3\n");
        Ok(())
    }
}
