//! A queue for each subscriber: it misses nothing, or is taken off.

// ANCHOR: fan_out
use futures::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

/// Sends to all subscribers, and waits for the slowest of them.
struct FanOut {
    patience: Duration,
    subscribers: Vec<(&'static str, mpsc::Sender<u32>)>,
}

impl FanOut {
    /// Whoever has gone, or has no room within the patience, is taken
    /// off the list, and named.
    async fn send(&mut self, event: u32) -> Vec<&'static str> {
        let sent = self.subscribers.iter().map(|(_, queue)| async {
            queue.send_timeout(event, self.patience).await.is_ok()
        });
        let mut sent = join_all(sent).await.into_iter();
        let mut gone = Vec::new();
        self.subscribers.retain(|(name, _)| {
            let is_there = sent.next().unwrap_or_default();
            if !is_there {
                gone.push(*name);
            }
            is_there
        });
        gone
    }
}
// ANCHOR_END: fan_out

/// Takes an event in so many milliseconds.
async fn take(mut events: mpsc::Receiver<u32>, ms: u64) -> Vec<u32> {
    let mut taken = Vec::new();
    while let Some(event) = events.recv().await {
        sleep(Duration::from_millis(ms)).await;
        taken.push(event);
    }
    taken
}

async fn run() -> [Vec<u32>; 3] {
    let (quick_queue, quick) = mpsc::channel(2);
    let (slow_queue, slow) = mpsc::channel(2);
    let (stuck_queue, stuck) = mpsc::channel(2);
    let mut fan_out = FanOut {
        patience: Duration::from_millis(500),
        subscribers: vec![
            ("quick", quick_queue),
            ("slow", slow_queue),
            ("stuck", stuck_queue),
        ],
    };
    let send = async {
        for event in 1..=6 {
            for name in fan_out.send(event).await {
                println!(
                    "{name} is taken off the list at event {event}"
                );
            }
        }
        drop(fan_out);
    };
    let (quick, slow, stuck, ()) = tokio::join!(
        take(quick, 1),
        take(slow, 100),
        take(stuck, 2000),
        send
    );
    [quick, slow, stuck]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let [quick, slow, stuck] = run().await;
    println!("quick: {quick:?}");
    println!("slow:  {slow:?}");
    println!("stuck: {stuck:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slow_one_misses_nothing_and_the_stuck_one_goes() {
        let [quick, slow, stuck] = run().await;
        assert_eq!(quick, [1, 2, 3, 4, 5, 6]);
        assert_eq!(slow, [1, 2, 3, 4, 5, 6]);
        assert_eq!(stuck, [1, 2, 3]);
    }
}
