//! Write rows a hundred at a time, or 50 ms after the first one.

// ANCHOR: batches
use std::{io, time::Duration};

use tokio::{sync::mpsc, time::timeout};

const FULL: usize = 100;
const PATIENCE: Duration = Duration::from_millis(50);
const WRITE_LIMIT: Duration = Duration::from_secs(5);

struct Batcher {
    rows: mpsc::Receiver<Row>,
    batch: Vec<Row>, // What isn't written yet.
}

impl Batcher {
    /// Writes until all senders are dropped and the queue is empty.
    ///
    /// A batch is written when it's full, or 50 ms after its first
    /// row was taken. No row is taken during a write, so a row also
    /// waits for the writes of the batches before it.
    ///
    /// After an error or a cancellation, the rows are still in
    /// `batch`. The next call writes them first, and some of them may
    /// be in the table already: `insert` must be safe to repeat.
    async fn run(&mut self, table: &mut impl Table) -> io::Result<()> {
        loop {
            // Ready as soon as the first row of the batch is there.
            if self.batch.is_empty() && self.take().await == 0 {
                return Ok(());
            }
            // Dropped by the timeout, `take` leaves nothing behind.
            let fill = async {
                while self.batch.len() < FULL && self.take().await > 0 {
                }
            };
            _ = timeout(PATIENCE, fill).await;
            timeout(WRITE_LIMIT, table.insert(&self.batch)).await??;
            self.batch.clear();
        }
    }

    // ANCHOR_END: batches
    // ANCHOR: take
    /// Takes all rows that are ready. Zero means that it's closed.
    async fn take(&mut self) -> usize {
        let room = FULL - self.batch.len();
        self.rows.recv_many(&mut self.batch, room).await
    }
}

/// The table that the rows are written to.
trait Table: Send {
    /// Inserts all of these rows or none. Rows that are already in the
    /// table stay as they are. If the future is dropped, for example
    /// after `WRITE_LIMIT`, the next call must still work.
    fn insert(
        &mut self,
        rows: &[Row],
    ) -> impl Future<Output = io::Result<()>> + Send;
}
// ANCHOR_END: take

use tokio::time::{Instant, sleep};

type Row = u32;

/// Prints what it's given. The third insert fails.
struct Printed {
    start: Instant,
    inserts: u32,
}

impl Table for Printed {
    async fn insert(&mut self, rows: &[Row]) -> io::Result<()> {
        let at = self.start.elapsed().as_millis();
        self.inserts += 1;
        if self.inserts == 3 {
            return Err(io::Error::other("the table is locked"));
        }
        println!("{at:>3} ms  {:>3} rows are written", rows.len());
        Ok(())
    }
}

/// 250 rows together, a single one, and one at the very end.
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

/// Tries again after an error. Three failures in a row, for the same
/// batch, end it.
async fn write_all(
    rows: mpsc::Receiver<Row>,
    table: &mut impl Table,
) -> io::Result<()> {
    let mut batcher = Batcher { rows, batch: Vec::new() };
    let (mut failures, mut stuck) = (0, None);
    while let Err(error) = batcher.run(table).await {
        let rows = batcher.batch.len();
        println!("        {rows:>3} rows are not: {error}");
        // Another first row: the batch before this one was written.
        let first = batcher.batch.first().copied();
        failures = if first == stuck { failures + 1 } else { 1 };
        stuck = first;
        if failures == 3 {
            return Err(error);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (queue, receiver) = mpsc::channel(1000);
    let mut table = Printed { start: Instant::now(), inserts: 0 };
    tokio::join!(write_all(receiver, &mut table), rows(queue)).0
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::{FutureExt, poll};
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    /// A table that takes its time, and fails at some calls.
    #[derive(Default)]
    struct Test {
        takes: Duration,
        fails_at: Vec<usize>,
        panics_at: Option<usize>,
        calls: usize,
        sizes: Vec<usize>,
        written: Vec<Row>,
    }

    impl Table for Test {
        async fn insert(&mut self, rows: &[Row]) -> io::Result<()> {
            self.calls += 1;
            sleep(self.takes).await;
            assert_ne!(Some(self.calls), self.panics_at, "it broke");
            if self.fails_at.contains(&self.calls) {
                return Err(io::Error::other("disk full"));
            }
            self.sizes.push(rows.len());
            self.written.extend(rows);
            Ok(())
        }
    }

    fn filled(count: u32) -> (mpsc::Sender<Row>, Batcher) {
        let (queue, rows) = mpsc::channel(1000);
        for row in 0..count {
            queue.try_send(row).expect("there is room");
        }
        (queue, Batcher { rows, batch: Vec::new() })
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_row_one_row_and_a_hundred() {
        for (count, sizes) in [
            (0, vec![]),
            (1, vec![1]),
            (100, vec![100]),
            (101, vec![100, 1]),
            (250, vec![100, 100, 50]),
        ] {
            let (queue, mut batcher) = filled(count);
            drop(queue);
            let mut table = Test::default();
            batcher.run(&mut table).await.expect("it writes");
            assert_eq!(table.sizes, sizes);
            assert!(table.written.into_iter().eq(0..count));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clock_of_a_batch_starts_with_its_first_row() {
        let (queue, mut batcher) = filled(0);
        let mut table = Test::default();
        let start = Instant::now();
        let send = async {
            for row in 0..10 {
                sleep(Duration::from_millis(20)).await;
                queue.send(row).await.expect("it writes");
            }
            drop(queue);
        };
        let (ran, ()) = tokio::join!(batcher.run(&mut table), send);
        ran.expect("it writes");
        // Rows at 20, 40, 60 ms are written at 70 ms, and so on.
        assert_eq!(table.sizes, [3, 3, 3, 1]);
        assert!(start.elapsed() <= Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_bound_the_rows_and_delay_them() {
        let (queue, rows) = mpsc::channel(10);
        let mut batcher = Batcher { rows, batch: Vec::new() };
        let takes = Duration::from_millis(200);
        let mut table = Test { takes, ..Test::default() };
        let mut longest = Duration::ZERO;
        let send = async {
            for row in 0..300 {
                let start = Instant::now();
                queue.send(row).await.expect("it writes");
                longest = longest.max(start.elapsed());
            }
            drop(queue);
        };
        let (ran, ()) = tokio::join!(batcher.run(&mut table), send);
        ran.expect("it writes");
        assert!(table.written.into_iter().eq(0..300));
        // Senders wait for one write: that is the backpressure.
        assert_eq!(longest, takes);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_table_is_an_error() {
        let (_queue, mut batcher) = filled(60);
        let mut table = Test { takes: 2 * HOUR, ..Test::default() };
        let ran = within(HOUR, batcher.run(&mut table)).await;
        let error = ran.expect_err("it's silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(batcher.batch.len(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_keeps_the_rows_for_the_next_call() {
        for fails_at in [vec![1], vec![2], vec![3], vec![1, 2, 3]] {
            let (queue, mut batcher) = filled(250);
            drop(queue);
            let failures = fails_at.len();
            let mut table = Test { fails_at, ..Test::default() };
            for _ in 0..failures {
                let ran = batcher.run(&mut table).await;
                let error = ran.expect_err("it fails");
                assert_eq!(error.to_string(), "disk full");
            }
            batcher.run(&mut table).await.expect("it works again");
            assert!(table.written.into_iter().eq(0..250));
        }
    }

    /// Five failures in total are fine, and three in a row aren't.
    #[tokio::test(start_paused = true)]
    async fn failure_three_times_in_a_row_is_the_end() {
        let (_, batcher) = filled(250);
        let fails_at = vec![1, 2, 4, 5, 7];
        let mut table = Test { fails_at, ..Test::default() };
        let written = write_all(batcher.rows, &mut table).await;
        written.expect("each batch failed twice at most");
        assert!(table.written.into_iter().eq(0..250));

        let (_, batcher) = filled(250);
        let fails_at = vec![2, 3, 4];
        let mut table = Test { fails_at, ..Test::default() };
        let error = write_all(batcher.rows, &mut table).await;
        let error = error.expect_err("it fails three times");
        assert_eq!(error.to_string(), "disk full");
        assert_eq!(table.sizes, [100]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_keeps_the_rows_for_the_next_call() {
        for panics_at in 1..=3 {
            let (queue, mut batcher) = filled(250);
            drop(queue);
            let panics_at = Some(panics_at);
            let mut table = Test { panics_at, ..Test::default() };
            let run = AssertUnwindSafe(batcher.run(&mut table));
            assert!(run.catch_unwind().await.is_err());
            batcher.run(&mut table).await.expect("it works again");
            assert!(table.written.into_iter().eq(0..250));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_makes_the_senders_wait() {
        let (queue, rows) = mpsc::channel(10);
        let mut batcher = Batcher { rows, batch: Vec::new() };
        let takes = Duration::from_secs(1);
        let mut table = Test { takes, ..Test::default() };
        let send = async move {
            let sends = (0..500).map(|row| queue.send(row));
            let sent = futures::future::join_all(sends).await;
            assert!(sent.iter().all(Result::is_ok));
        };
        let (ran, ()) = tokio::join!(batcher.run(&mut table), send);
        ran.expect("it writes");
        assert!(table.sizes.iter().all(|size| *size <= FULL));
        assert!(table.written.into_iter().eq(0..500));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_keeps_the_rows_for_the_next_call() {
        at_every_poll(async |cancel| {
            let (queue, mut batcher) = filled(250);
            let takes = Duration::from_millis(10);
            let mut table = Test { takes, ..Test::default() };
            drop(queue);
            cancel.run(batcher.run(&mut table)).await;
            batcher.run(&mut table).await.expect("it writes");
            assert!(table.written.into_iter().eq(0..250));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_is_a_closed_queue_and_one_more_call() {
        let (queue, mut batcher) = filled(250);
        let takes = Duration::from_millis(10);
        let mut table = Test { takes, ..Test::default() };
        {
            let mut run = std::pin::pin!(batcher.run(&mut table));
            assert!(poll!(run.as_mut()).is_pending());
        }
        batcher.rows.close();
        assert!(queue.send(250).await.is_err());
        within(HOUR, batcher.run(&mut table)).await.expect("it writes");
        assert!(table.written.into_iter().eq(0..250));
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_row_may_be_inserted_twice() {
        let (queue, mut batcher) = filled(3);
        drop(queue);
        let mut table = Test::default();
        // Inserted, and the answer was lost: the batch is kept.
        batcher.take().await;
        table.insert(&batcher.batch).await.expect("it works");
        batcher.run(&mut table).await.expect("it works");
        assert_eq!(table.written, [0, 1, 2, 0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_senders() {
        let (queue, batcher) = filled(3);
        drop(batcher);
        assert!(queue.send(3).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_write_each_row_once() {
        let (queue, mut batcher) = filled(0);
        let batching = tokio::spawn(async move {
            let mut table = Test::default();
            batcher.run(&mut table).await.map(|()| table.written)
        });
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..8 {
            let queue = queue.clone();
            senders.spawn(async move {
                for row in 0..1000 {
                    let row = sender * 1000 + row;
                    queue.send(row).await.expect("it writes");
                }
            });
        }
        drop(queue);
        senders.join_all().await;
        let written = batching.await.expect("no panic");
        let mut written = written.expect("it writes");
        written.sort();
        assert!(written.into_iter().eq(0..8000));
    }
}
