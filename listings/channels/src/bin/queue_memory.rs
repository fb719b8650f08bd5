//! A queue allocates memory for its messages, not for its capacity.

// ANCHOR: queues
use allocation_counter::measure;
use futures::future::join_all;
use tokio::sync::mpsc;

/// An order with its items: 256 bytes.
type Order = [u64; 32];

/// An empty channel.
fn empty(capacity: usize) {
    drop(mpsc::channel::<Order>(capacity));
}

/// A channel with this many orders in it.
fn filled(orders: usize) {
    let (queue, _waiting) = mpsc::channel::<Order>(10_000_000);
    for _ in 0..orders {
        queue.try_send([0; 32]).expect("there is room");
    }
}

/// A channel for one order, with this many waiting senders.
async fn senders(number: usize) {
    let (queue, mut orders) = mpsc::channel::<Order>(1);
    let send = (0..number).map(|_| queue.send([0; 32]));
    let receive = async {
        for _ in 0..number {
            orders.recv().await;
        }
    };
    tokio::join!(join_all(send), receive);
}
// ANCHOR_END: queues

use tokio::runtime::Builder;

fn print(what: &str, run: impl FnOnce()) {
    let kib = measure(run).bytes_max.div_ceil(1024);
    println!("{what:<32} {kib:>4} KiB");
}

fn main() -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    print("empty, capacity 8", || empty(8));
    print("empty, capacity 10,000,000", || empty(10_000_000));
    print("a thousand orders in it", || filled(1000));
    print("capacity 1, a thousand senders", || {
        runtime.block_on(senders(1000));
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_costs_nothing_before_it_is_used() {
        let small = measure(|| empty(8)).bytes_max;
        assert_eq!(measure(|| empty(10_000_000)).bytes_max, small);
        let filled = measure(|| filled(1000)).bytes_max;
        assert!((256_000..400_000).contains(&filled), "{filled}");
    }

    #[tokio::test]
    async fn all_senders_get_their_turn() {
        senders(1000).await;
    }
}
