//! The method waits itself.

// ANCHOR: doorbell
use tokio::sync::Notify;

#[derive(Default)]
struct Doorbell {
    rung: Notify,
}

impl Doorbell {
    /// Waits until somebody rings.
    async fn wait(&self) {
        self.rung.notified().await;
    }
}

/// Opens the door each time somebody rings, three times at most.
async fn open_door(doorbell: &Doorbell) -> u32 {
    let mut opened = 0;
    while opened < 3 {
        doorbell.wait().await;
        opened += 1;
    }
    opened
}
// ANCHOR_END: doorbell

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
    fn it_waits_for_the_bell() {
        let doorbell = Doorbell::default();
        assert_eq!(open_door(&doorbell).now_or_never(), None);
    }
}
