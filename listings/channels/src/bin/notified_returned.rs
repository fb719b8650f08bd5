//! Wrong: the method returns the future instead of waiting for it.

// ANCHOR: wrong
use tokio::sync::{Notify, futures::Notified};

#[derive(Default)]
struct Doorbell {
    /// Ring with `notify_one`: it keeps one ring for later.
    rung: Notify,
}

impl Doorbell {
    /// Waits until the bell rings.
    // Wrong: an `async fn` that returns a future takes two `.await`s.
    async fn wait(&self) -> Notified<'_> {
        self.rung.notified()
    }
}

/// Opens the door whenever the bell rings, at most three times.
async fn open_door(doorbell: &Doorbell) -> u32 {
    let mut opened = 0;
    while opened < 3 {
        let _rung = doorbell.wait().await; // Waits for nothing.
        opened += 1;
    }
    opened
}
// ANCHOR_END: wrong

use futures::FutureExt;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let doorbell = Doorbell::default();
    match open_door(&doorbell).now_or_never() {
        Some(opened) => println!("nobody rang, opened {opened} times"),
        None => println!("nobody rang, and it waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_the_bell() {
        let doorbell = Doorbell::default();
        assert_eq!(open_door(&doorbell).now_or_never(), Some(3));
    }
}
