//! Poll a future manually and watch its waker.

use tokio::{sync::mpsc, task::yield_now};
use tokio_test::task;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), mpsc::error::TrySendError<u32>> {
    // ANCHOR: watch
    let (sender, mut orders) = mpsc::channel(1);
    sender.try_send(17)?;

    // No task is spawned: this is a future in a box, with a waker.
    let mut second = task::spawn(sender.send(18));
    println!("full:       {:?}", second.poll());
    println!("woken:      {}", second.is_woken());
    println!("taken:      {:?}", orders.try_recv());
    println!("woken:      {}", second.is_woken());
    println!("has room:   {:?}", second.poll());

    // The runtime polls its other tasks before it wakes this future.
    let mut yielding = task::spawn(yield_now());
    println!("yields:     {:?}", yielding.poll());
    println!("woken:      {}", yielding.is_woken());
    yield_now().await;
    println!("afterwards: {}", yielding.is_woken());
    // ANCHOR_END: watch
    Ok(())
}

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{
        assert_pending, assert_ready_eq, assert_ready_ok,
    };

    #[test]
    fn overload_a_full_queue_makes_the_sender_wait() {
        let (sender, mut orders) = mpsc::channel(1);
        let mut first = task::spawn(sender.send(17));
        assert_ready_ok!(first.poll());

        let mut second = task::spawn(sender.send(18));
        assert_pending!(second.poll());
        assert!(!second.is_woken());

        let mut taken = task::spawn(orders.recv());
        assert_ready_eq!(taken.poll(), Some(17));
        assert!(second.is_woken());
        assert_ready_ok!(second.poll());
    }

    #[test]
    fn cancel_takes_the_sender_out_of_the_queue() {
        let (sender, mut orders) = mpsc::channel(1);
        sender.try_send(17).expect("there is room");
        let mut second = task::spawn(sender.send(18));
        assert_pending!(second.poll());
        drop(second);
        assert_eq!(orders.try_recv(), Ok(17));
        assert!(orders.try_recv().is_err());
    }
}
// ANCHOR_END: tests
