//! Send every event in place, without spawning a task.

// ANCHOR: forward
use tokio::sync::mpsc;

/// Forwards a library's events in the order of its calls.
struct Forward {
    queue: Option<mpsc::Sender<Event>>,
}

impl Forward {
    /// The library's callback, which must not wait. If the queue is full
    /// or closed, this event and all later ones are dropped: the receiver
    /// gets the events before it, and then `None`.
    fn event(&mut self, event: Event) {
        let Some(queue) = &self.queue else { return };
        if let Err(error) = queue.try_send(event) {
            self.queue = None;
            tracing::error!(%error, "no more events");
        }
    }
}
// ANCHOR_END: forward

use std::io;

use tokio::runtime::{Builder, Runtime};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Connecting,
    Connected,
    Disconnecting,
    Disconnected,
}

use Event::{Connected, Connecting, Disconnected, Disconnecting};

/// What the library calls back with.
const EVENTS: [Event; 4] =
    [Connecting, Connected, Disconnecting, Disconnected];

/// The events as they are received.
async fn received() -> Vec<Event> {
    let (queue, mut events) = mpsc::channel(16);
    let mut forward = Forward { queue: Some(queue) };
    EVENTS.into_iter().for_each(|event| forward.event(event));
    drop(forward);
    let mut received = Vec::new();
    while let Some(event) = events.recv().await {
        received.push(event);
    }
    received
}

/// Receives the events in a task.
fn on(runtime: Runtime) -> io::Result<Vec<Event>> {
    let received = runtime.spawn(received());
    runtime.block_on(received).map_err(io::Error::other)
}

fn main() -> io::Result<()> {
    let current = on(Builder::new_current_thread().build()?)?;
    println!("current_thread: {current:?}");
    let mut several = Builder::new_multi_thread();
    let one = on(several.worker_threads(1).build()?)?;
    println!("multi_thread, one worker: {one:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_events_arrive_in_order() -> io::Result<()> {
        for workers in [1, 2, 4] {
            for _ in 0..50 {
                let mut several = Builder::new_multi_thread();
                let runtime = several.worker_threads(workers);
                assert_eq!(on(runtime.build()?)?, EVENTS);
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn overload_ends_the_events_without_a_gap() {
        let (queue, mut events) = mpsc::channel(2);
        let mut forward = Forward { queue: Some(queue) };
        forward.event(Connecting);
        forward.event(Connected);
        forward.event(Disconnecting);
        assert_eq!(events.recv().await, Some(Connecting));
        // There is room again, but an event is missing.
        forward.event(Disconnected);
        assert_eq!(events.recv().await, Some(Connected));
        assert_eq!(events.recv().await, None);
    }

    #[test]
    fn owner_gone_drops_the_events() {
        let (queue, events) = mpsc::channel(2);
        let mut forward = Forward { queue: Some(queue) };
        drop(events);
        EVENTS.into_iter().for_each(|event| forward.event(event));
        assert!(forward.queue.is_none());
    }

    #[tokio::test]
    async fn edges_room_for_one_event() {
        let (queue, mut events) = mpsc::channel(1);
        let mut forward = Forward { queue: Some(queue) };
        for event in EVENTS {
            forward.event(event);
            assert_eq!(events.recv().await, Some(event));
        }
    }
}
