//! A minimal runtime: poll, sleep until woken, poll again.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

// ANCHOR: block_on
/// A waker that unparks the thread in `block_on`.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        println!("  woken");
        self.0.unpark();
    }
}

/// Polls a future on this thread until it is ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        println!("  polled");
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // Returns immediately if the thread was woken already.
            Poll::Pending => thread::park(),
        }
    }
}
// ANCHOR_END: block_on

/// Asks another thread for a price, and waits for the answer.
async fn ask() -> Option<u32> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        // An error means that nobody waits for the answer.
        sender.send(1250).ok();
    });
    let price = receiver.await.ok();
    thread.join().expect("it does not panic");
    price
}

fn main() {
    println!("asking");
    println!("the price: {:?}", block_on(ask()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_a_future_to_its_end() {
        assert_eq!(block_on(async { 7 }), 7);
        assert_eq!(block_on(ask()), Some(1250));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_runtime_runs_the_same_future() {
        assert_eq!(ask().await, Some(1250));
    }
}
