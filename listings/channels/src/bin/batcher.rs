//! Rows are written a hundred at a time, or after 50 ms.

// ANCHOR: batches
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};

const FULL: usize = 100;
const PATIENCE: Duration = Duration::from_millis(50);

/// Gathers rows until there are a hundred, or the first one of them
/// has waited for 50 ms. Nothing is left behind at the end.
async fn write_all(
    mut rows: mpsc::Receiver<Row>,
    mut write: impl AsyncFnMut(&[Row]),
) {
    let mut batch = Vec::with_capacity(FULL);
    // Waits for the first row; there may be more of them at once.
    while rows.recv_many(&mut batch, FULL).await > 0 {
        let deadline = sleep_until(Instant::now() + PATIENCE);
        tokio::pin!(deadline);
        while batch.len() < FULL {
            let room = FULL - batch.len();
            tokio::select! {
                biased;
                // Zero: the senders have gone.
                taken = rows.recv_many(&mut batch, room) => {
                    if taken == 0 {
                        break;
                    }
                }
                () = &mut deadline => break,
            }
        }
        write(&batch).await;
        batch.clear();
    }
}
// ANCHOR_END: batches

use tokio::time::sleep;

type Row = u32;

/// 250 rows at once, one that is alone, and one at the very end.
async fn rows(queue: mpsc::Sender<Row>) {
    let send = async |row| queue.send(row).await.expect("it writes");
    for row in 0..250 {
        send(row).await;
    }
    sleep(Duration::from_millis(200)).await;
    send(250).await;
    sleep(Duration::from_millis(200)).await;
    send(251).await;
}

async fn run() -> Vec<(u128, usize)> {
    let start = Instant::now();
    let (queue, receiver) = mpsc::channel(1000);
    let mut written = Vec::new();
    let write = async |batch: &[Row]| {
        written.push((start.elapsed().as_millis(), batch.len()));
    };
    tokio::join!(write_all(receiver, write), rows(queue));
    written
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (at, rows) in run().await {
        println!("{at:>3} ms  {rows:>3} rows are written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn full_batches_at_once_and_the_rest_in_time() {
        let written = run().await;
        let expected =
            [(0, 100), (0, 100), (50, 50), (250, 1), (400, 1)];
        assert_eq!(written, expected);
    }
}
