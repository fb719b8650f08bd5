//! Wrong: a buffered writer that is dropped loses its buffer.

// ANCHOR: wrong
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
    // Wrong: the writes have only filled the buffer. Unlike std's,
    // this writer doesn't write its buffer when it's dropped.
    Ok(())
}
// ANCHOR_END: wrong

/// Returns what is in the journal afterward.
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
    async fn stop_after_it_keeps_every_order() -> io::Result<()> {
        // It keeps none of them.
        assert_eq!(journal().await?, "");
        Ok(())
    }
}
