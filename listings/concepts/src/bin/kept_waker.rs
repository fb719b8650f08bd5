//! The door keeps a waker for each waiting future, and calls them all.

use std::{
    collections::BTreeMap,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: opened
impl Door {
    fn open(&self) {
        let mut state = self.state();
        state.is_open = true;
        let waiting = mem::take(&mut state.waiting);
        // Wake after unlocking, because the woken tasks lock, too.
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }
}

impl Future for Opened {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        // The latest: the future may have moved to another task.
        let newest = context.waker().clone();
        let mut state = self.door.state();
        if state.is_open {
            return Poll::Ready(());
        }
        let old = state.waiting.insert(self.number, newest);
        // Drop it after unlocking, because that may drop a task.
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let waker = self.door.state().waiting.remove(&self.number);
        drop(waker);
    }
}
// ANCHOR_END: opened

// ANCHOR: door
#[derive(Default)]
struct State {
    is_open: bool,
    /// The latest waker of each waiting future, by its number.
    waiting: BTreeMap<u64, Waker>,
    last: u64,
}

/// A door that any number of tasks may wait for.
#[derive(Default)]
struct Door {
    state: Mutex<State>,
}

/// Completes when the door is open. If it never opens, waits forever.
struct Opened {
    door: Arc<Door>,
    number: u64,
}

impl Door {
    fn opened(self: Arc<Self>) -> Opened {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        drop(state);
        Opened { door: self, number }
    }
}
// ANCHOR_END: door

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the door is open. A task opens it after 50 ms.
async fn wait_at(door: Arc<Door>) -> &'static str {
    let opener = Arc::clone(&door);
    let opening = tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        opener.open();
    });
    door.opened().await;
    opening.await.expect("it does not panic");
    "inside"
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let door = Arc::new(Door::default());
    // In a separate task, which is polled again only if it is woken.
    let guest = tokio::spawn(wait_at(door));
    match timeout(Duration::from_secs(3600), guest).await {
        Ok(place) => println!("{}", place.expect("it does not panic")),
        Err(_) => println!("the door is open, and it hung for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, within};
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    /// Spawns that many tasks that wait for the door.
    async fn guests(door: &Arc<Door>, count: usize) -> JoinSet<()> {
        let mut guests = JoinSet::new();
        for _ in 0..count {
            guests.spawn(Arc::clone(door).opened());
        }
        yield_now().await;
        guests
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_when_the_door_opens() {
        let door = Arc::new(Door::default());
        let guest = tokio::spawn(wait_at(door));
        assert!(timeout(HOUR, guest).await.is_ok());
    }

    /// One poll when it starts to wait, and one when the door is open.
    #[tokio::test(start_paused = true)]
    async fn slow_door_costs_two_polls() {
        let door = Arc::new(Door::default());
        let mut opened = Box::pin(Arc::clone(&door).opened());
        let mut polls = 0;
        let guest =
            tokio::spawn(std::future::poll_fn(move |context| {
                polls += 1;
                opened.as_mut().poll(context).map(|()| polls)
            }));
        sleep(HOUR).await;
        door.open();
        assert_eq!(guest.await.expect("it does not panic"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn again_polled_by_another_task_it_wakes_that_one() {
        let door = Arc::new(Door::default());
        let mut opened = Box::pin(Arc::clone(&door).opened());
        let mut context = Context::from_waker(Waker::noop());
        assert!(opened.as_mut().poll(&mut context).is_pending());
        let guest = tokio::spawn(opened);
        yield_now().await;
        door.open();
        within(HOUR, guest).await.expect("it does not panic");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_every_guest_is_woken() {
        let door = Arc::new(Door::default());
        let mut guests = guests(&door, 100).await;
        door.open();
        for _ in 0..100 {
            let guest = within(HOUR, guests.join_next()).await;
            assert!(guest.is_some_and(|guest| guest.is_ok()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_takes_the_waker_out_and_wakes_the_others() {
        hazards::at_every_poll(async |cancel| {
            let door = Arc::new(Door::default());
            let mut others = guests(&door, 1).await;
            let opener = Arc::clone(&door);
            let opening = tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                opener.open();
            });
            cancel.run(Arc::clone(&door).opened()).await;
            let waiting = door.state().waiting.len();
            assert!(waiting <= 1, "{waiting} wakers are kept");
            within(HOUR, opening).await.expect("no panic");
            assert!(within(HOUR, others.join_next()).await.is_some());
        })
        .await;
    }

    /// A waker whose drop wants the lock of the door, as one that
    /// owns the last handle of a task may.
    struct WantsTheDoor(Arc<Door>);

    impl std::task::Wake for WantsTheDoor {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for WantsTheDoor {
        fn drop(&mut self) {
            assert!(self.0.state.try_lock().is_ok(), "it is locked");
        }
    }

    #[test]
    fn again_polled_it_drops_the_old_waker_without_the_lock() {
        let door = Arc::new(Door::default());
        let mut opened = Box::pin(Arc::clone(&door).opened());
        for _ in 0..3 {
            let waker = WantsTheDoor(Arc::clone(&door));
            let waker = Waker::from(Arc::new(waker));
            let mut context = Context::from_waker(&waker);
            assert!(opened.as_mut().poll(&mut context).is_pending());
        }
        door.open();
        let mut context = Context::from_waker(Waker::noop());
        assert!(opened.as_mut().poll(&mut context).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_waker_behind() {
        let door = Arc::new(Door::default());
        drop(guests(&door, 3).await);
        hazards::no_task_left().await;
        assert!(door.state().waiting.is_empty());
        assert_eq!(Arc::strong_count(&door), 1);
    }

    #[tokio::test]
    async fn edges_an_open_door_and_one_opened_twice() {
        let door = Arc::new(Door::default());
        door.open();
        door.open();
        Arc::clone(&door).opened().await;
        assert!(door.state().waiting.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_open_while_others_look() {
        for _ in 0..1000 {
            let door = Arc::new(Door::default());
            let opener = Arc::clone(&door);
            let opening = tokio::spawn(async move { opener.open() });
            let other = tokio::spawn(Arc::clone(&door).opened());
            door.opened().await;
            other.await.expect("it does not panic");
            opening.await.expect("it does not panic");
        }
    }
}
