//! The answer is a guard: what nobody reads goes back by itself.

// ANCHOR: guard
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{sync::oneshot, task::yield_now};

/// A seat that is held for somebody. Dropped before it is confirmed,
/// it is free again: the books follow what happened to the message.
struct HeldSeat {
    free: Arc<AtomicU32>,
    is_confirmed: bool,
}

impl HeldSeat {
    fn take(free: &Arc<AtomicU32>) -> Self {
        free.fetch_sub(1, Ordering::Relaxed);
        Self { free: Arc::clone(free), is_confirmed: false }
    }

    /// It stays taken.
    fn confirm(mut self) {
        self.is_confirmed = true;
    }
}

impl Drop for HeldSeat {
    fn drop(&mut self) {
        if !self.is_confirmed {
            self.free.fetch_add(1, Ordering::Relaxed);
        }
    }
}
// ANCHOR_END: guard

/// Waits for a seat, and leaves in the very moment when it comes.
async fn leave_early(seat: oneshot::Receiver<HeldSeat>) {
    yield_now().await;
    drop(seat);
}

async fn stay(seat: oneshot::Receiver<HeldSeat>) {
    if let Ok(seat) = seat.await {
        seat.confirm();
    }
}

/// How many of ten seats are free after somebody asked for one?
async fn free_after<Guest>(
    guest: impl FnOnce(oneshot::Receiver<HeldSeat>) -> Guest,
) -> u32
where
    Guest: Future<Output = ()>,
{
    let free = Arc::new(AtomicU32::new(10));
    let (answer, seat) = oneshot::channel();
    let give = async {
        // Where the guest has gone, the seat comes back in the error.
        let _ = answer.send(HeldSeat::take(&free));
    };
    tokio::join!(give, guest(seat));
    free.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("one left early: {} free", free_after(leave_early).await);
    println!("one stayed:      {} free", free_after(stay).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_that_nobody_read_is_free() {
        assert_eq!(free_after(leave_early).await, 10);
        assert_eq!(free_after(stay).await, 9);
    }
}
