//! Flush a buffered writer before it is dropped.

// ANCHOR: flushed
use std::io;

use tokio::{
    io::{AsyncWrite, AsyncWriteExt, BufWriter},
    time::{Duration, timeout},
};

/// Writes the day's orders to the journal. After an error or
/// cancellation, some orders may have been written, so don't call it
/// again with the same journal.
async fn write_orders(
    journal: impl AsyncWrite + Unpin,
    orders: &[u32],
) -> io::Result<()> {
    let mut journal = BufWriter::new(journal);
    timeout(LIMIT, async {
        for order in orders {
            let line = format!("order {order}\n");
            journal.write_all(line.as_bytes()).await?;
        }
        journal.flush().await
    })
    .await?
}

/// The limit for all orders together: a shutdown has a deadline.
const LIMIT: Duration = Duration::from_secs(10);
// ANCHOR_END: flushed

/// Returns what is in the journal afterward.
async fn journal(orders: &[u32]) -> io::Result<String> {
    let mut journal = Vec::new();
    write_orders(&mut journal, orders).await?;
    String::from_utf8(journal).map_err(io::Error::other)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!(
        "lines in the journal: {}",
        journal(&[1, 2, 3]).await?.lines().count()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn stop_after_it_keeps_every_order() -> io::Result<()> {
        let written = journal(&[1, 2, 3]).await?;
        assert_eq!(written, "order 1\norder 2\norder 3\n");
        Ok(())
    }

    /// More orders than the buffer holds.
    const MANY: [u32; 2000] = [7; 2000];

    /// Fails in the first write, in the second one, and in the last.
    #[tokio::test(start_paused = true)]
    async fn failure_is_an_error() {
        for after in 0..2 {
            let mut file = Vec::new();
            let full = hazards::Failing::after(&mut file, after);
            let written = write_orders(full, &MANY).await;
            let error = written.expect_err("the disk is full");
            assert_eq!(error.to_string(), "disk full");
        }
        let full = hazards::Failing::after(Vec::new(), 0);
        assert!(write_orders(full, &[1]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        // The flush waits, or already a write.
        for orders in [&MANY[..1], &MANY] {
            let start = Instant::now();
            let written = write_orders(hazards::Silent, orders);
            let written = hazards::within(hazards::HOUR, written).await;
            let error = written.expect_err("it accepts nothing");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(start.elapsed(), LIMIT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_journal_has_every_order() -> io::Result<()> {
        let mut file = Vec::new();
        let delay = Duration::from_secs(1);
        let slow = hazards::Slow::new(&mut file, delay);
        write_orders(slow, &MANY).await?;
        assert_eq!(file.len(), MANY.len() * "order 7\n".len());
        Ok(())
    }

    /// Each write takes less than the limit, but together they don't.
    #[tokio::test(start_paused = true)]
    async fn slow_writes_share_one_limit() {
        let start = Instant::now();
        let slow = hazards::Slow::new(Vec::new(), LIMIT / 10 * 9);
        let error = write_orders(slow, &MANY).await.expect_err("slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), LIMIT);
    }

    /// What is written is the start of what should be.
    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_start_of_the_orders() {
        hazards::at_every_poll(async |cancel| {
            let mut file = Vec::new();
            let delay = Duration::from_millis(1);
            let slow = hazards::Slow::new(&mut file, delay);
            cancel.run(write_orders(slow, &MANY)).await;
            let all = "order 7\n".repeat(MANY.len());
            assert!(all.as_bytes().starts_with(&file));
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_order_and_the_largest() -> io::Result<()> {
        assert_eq!(journal(&[]).await?, "");
        let written = journal(&[u32::MAX]).await?;
        assert_eq!(written, "order 4294967295\n");
        Ok(())
    }

    /// After a failure, a new journal gets all of them.
    #[tokio::test(start_paused = true)]
    async fn again_with_a_new_journal_it_is_whole() -> io::Result<()> {
        let mut file = Vec::new();
        let full = hazards::Failing::after(&mut file, 1);
        assert!(write_orders(full, &MANY).await.is_err());
        assert!(!file.is_empty());
        let mut file = Vec::new();
        write_orders(&mut file, &MANY).await?;
        assert_eq!(file.len(), MANY.len() * "order 7\n".len());
        Ok(())
    }
}
