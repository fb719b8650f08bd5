//! The answer is a guard: an unread answer undoes the change.

// ANCHOR: guard
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::{sync::oneshot, task::yield_now};

/// A seat that is held for a guest. If this is dropped before it's
/// confirmed, the seat is free again.
struct HeldSeat {
    free: Arc<AtomicU32>,
    is_confirmed: bool,
}

impl HeldSeat {
    /// `None` if no seat is free.
    fn take(free: &Arc<AtomicU32>) -> Option<Self> {
        let one_less = |seats: u32| seats.checked_sub(1);
        free.fetch_update(Relaxed, Relaxed, one_less).ok()?;
        Some(Self { free: Arc::clone(free), is_confirmed: false })
    }

    /// It stays taken.
    fn confirm(mut self) {
        self.is_confirmed = true;
    }
}

impl Drop for HeldSeat {
    fn drop(&mut self) {
        if !self.is_confirmed {
            self.free.fetch_add(1, Relaxed);
        }
    }
}
// ANCHOR_END: guard

/// Leaves at the very moment when the answer comes.
async fn leave_early(seat: oneshot::Receiver<Answer>) {
    yield_now().await;
    drop(seat);
}

async fn stay(seat: oneshot::Receiver<Answer>) {
    if let Ok(Some(seat)) = seat.await {
        seat.confirm();
    }
}

type Answer = Option<HeldSeat>;

/// How many of ten seats are free after somebody asked for one?
async fn free_after<Guest>(
    guest: impl FnOnce(oneshot::Receiver<Answer>) -> Guest,
) -> u32
where
    Guest: Future<Output = ()>,
{
    let free = Arc::new(AtomicU32::new(10));
    let (answer, seat) = oneshot::channel();
    let give = async {
        // If the guest has left, the error drops the seat.
        _ = answer.send(HeldSeat::take(&free));
    };
    tokio::join!(give, guest(seat));
    free.load(Relaxed)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("one left early: {} free", free_after(leave_early).await);
    println!("one stayed:      {} free", free_after(stay).await);
}

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, some_panic};

    use super::*;

    #[tokio::test]
    async fn cancel_between_the_answer_and_its_reading() {
        assert_eq!(free_after(leave_early).await, 10);
        assert_eq!(free_after(stay).await, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_leaves_no_seat_taken() {
        at_every_poll(async |cancel| {
            let free = Arc::new(AtomicU32::new(1));
            let (answer, seat) = oneshot::channel();
            let give = async {
                yield_now().await;
                _ = answer.send(HeldSeat::take(&free));
            };
            let (taken, ()) = tokio::join!(cancel.run(seat), give);
            let is_taken = taken.is_some();
            if let Some(Ok(Some(seat))) = taken {
                seat.confirm();
            }
            assert_eq!(free.load(Relaxed), u32::from(!is_taken));
        })
        .await;
    }

    #[tokio::test]
    async fn panic_before_the_confirmation_frees_the_seat() {
        for panics in some_panic(4) {
            let free = Arc::new(AtomicU32::new(4));
            let mut guests = tokio::task::JoinSet::new();
            for guest in 0..4 {
                let seat = HeldSeat::take(&free).expect("one is free");
                let panics = panics.contains(&guest);
                guests.spawn(async move {
                    assert!(!panics, "guest {guest} is broken");
                    seat.confirm();
                });
            }
            while guests.join_next().await.is_some() {}
            assert_eq!(free.load(Relaxed), panics.len() as u32);
        }
    }

    #[test]
    fn edges_no_seat_is_free() {
        let free = Arc::new(AtomicU32::new(1));
        let seat = HeldSeat::take(&free).expect("one is free");
        assert!(HeldSeat::take(&free).is_none());
        assert_eq!(free.load(Relaxed), 0);
        drop(seat);
        assert_eq!(free.load(Relaxed), 1);
        assert!(HeldSeat::take(&free).is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_take_no_seat_twice() {
        let free = Arc::new(AtomicU32::new(10));
        let mut guests = tokio::task::JoinSet::new();
        for guest in 0..1000 {
            let free = Arc::clone(&free);
            guests.spawn(async move {
                let Some(seat) = HeldSeat::take(&free) else {
                    return 0;
                };
                yield_now().await;
                if guest % 100 != 0 {
                    return 0; // Dropped, not confirmed.
                }
                seat.confirm();
                1
            });
        }
        let confirmed: u32 = guests.join_all().await.into_iter().sum();
        assert_eq!(free.load(Relaxed), 10 - confirmed);
    }

    #[test]
    fn owner_gone_guest_leaves_the_seat_free() {
        let free = Arc::new(AtomicU32::new(1));
        let (answer, seat) = oneshot::channel();
        drop(seat);
        assert!(answer.send(HeldSeat::take(&free)).is_err());
        assert_eq!(free.load(Relaxed), 1);
    }
}
