//! Measure the memory of a burst of orders, with and without a bound.

// ANCHOR: burst
use tokio::sync::mpsc;

/// An order with its items: 256 bytes.
type Order = [u64; 32];

/// All orders are accepted first, and then packed.
async fn unbounded(burst: u32) -> impl Sized {
    let (queue, mut orders) = mpsc::unbounded_channel::<Order>();
    for _ in 0..burst {
        queue.send([0; 32]).expect("they are packed");
    }
    for _ in 0..burst {
        orders.recv().await;
    }
    (queue, orders) // The channel still exists, and is empty.
}

/// Orders are accepted when there is room, and packed in the meantime.
async fn bounded(burst: u32, capacity: usize) -> impl Sized {
    let (queue, mut orders) = mpsc::channel::<Order>(capacity);
    let accept = async {
        for _ in 0..burst {
            queue.send([0; 32]).await.expect("they are packed");
        }
    };
    let pack = async {
        for _ in 0..burst {
            orders.recv().await;
        }
    };
    tokio::join!(accept, pack);
    (queue, orders)
}
// ANCHOR_END: burst

use allocation_counter::measure;
use tokio::runtime::Builder;

/// The most bytes held at a time, and those held at the end by a
/// channel that is empty.
fn held<T>(run: impl Future<Output = T>) -> (u64, i64) {
    let runtime = Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without I/O");
    let mut channel = None;
    let counted = measure(|| channel = Some(runtime.block_on(run)));
    drop(channel);
    (counted.bytes_max, counted.bytes_current)
}

fn main() {
    for burst in [100, 10_000] {
        let (most, after) = held(unbounded(burst));
        print(burst, "no bound", most, after);
        let (most, after) = held(bounded(burst, 32));
        print(burst, "room for 32", most, after);
    }
}

fn print(burst: u32, what: &str, most: u64, after: i64) {
    let most = most.div_ceil(1024);
    let after = after.unsigned_abs().div_ceil(1024);
    println!(
        "{burst:>5} orders, {what:<11} {most:>4} KiB, empty again {after:>2} KiB"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_without_a_bound_memory_follows_the_burst() {
        let (most, after) = held(unbounded(10_000));
        assert!(most > 10_000 * 256, "{most}");
        assert!(after < 64 * 1024, "{after}");
        let (few, _) = held(bounded(100, 32));
        let (many, _) = held(bounded(10_000, 32));
        assert_eq!(few, many);
        assert!(many < 64 * 1024, "{many}");
    }
}
