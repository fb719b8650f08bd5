//! Wrong: every event spawns a task of its own.

// ANCHOR: wrong
use tokio::sync::mpsc;

struct Forward {
    queue: mpsc::Sender<Event>,
}

impl Forward {
    fn event(&mut self, event: Event) {
        let queue = self.queue.clone();
        // Wrong: tasks don't always start in the order of `spawn`.
        tokio::spawn(async move { queue.send(event).await });
    }
}
// ANCHOR_END: wrong

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
    let mut forward = Forward { queue };
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
        for _ in 0..50 {
            let mut several = Builder::new_multi_thread();
            let received = on(several.worker_threads(1).build()?)?;
            let order =
                [Disconnected, Connecting, Connected, Disconnecting];
            assert_eq!(received, order);
        }
        Ok(())
    }

    #[test]
    fn a_test_with_one_thread_does_not_show_it() -> io::Result<()> {
        for _ in 0..50 {
            let current = Builder::new_current_thread().build()?;
            assert_eq!(on(current)?, EVENTS);
        }
        Ok(())
    }
}
