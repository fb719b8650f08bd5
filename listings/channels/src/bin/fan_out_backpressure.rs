//! Each subscriber has a queue: it misses no event, or it's removed.

// ANCHOR: fan_out
use futures::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Duration, sleep, timeout},
};

/// Sends to all subscribers, and waits for the slowest of them.
struct FanOut {
    patience: Duration,
    subscribers: Vec<(&'static str, mpsc::Sender<Event>)>,
}

impl FanOut {
    /// Sends to every subscriber with room within `patience`. Removes
    /// the others, closed ones included, and returns their names.
    ///
    /// If it's canceled, no subscriber has the event.
    async fn send(&mut self, event: Event) -> Vec<&'static str> {
        let places = self
            .subscribers
            .iter()
            .map(|(_, queue)| timeout(self.patience, queue.reserve()));
        // Reserve every slot first: after this line, nothing waits.
        let places = join_all(places).await;
        let sent: Vec<_> = places
            .into_iter()
            .map(|place| match place {
                Ok(Ok(place)) => {
                    place.send(event);
                    true
                }
                Ok(Err(_)) | Err(_) => false,
            })
            .collect();
        let (kept, removed): (Vec<_>, Vec<_>) =
            self.subscribers.drain(..).zip(sent).partition(|it| it.1);
        self.subscribers = kept.into_iter().map(|it| it.0).collect();
        removed.into_iter().map(|((name, _), _)| name).collect()
    }
}
// ANCHOR_END: fan_out

// ANCHOR: event
#[derive(Clone, Copy)]
enum Event {
    Order(u32),
    /// The last one. A queue that ends without it says that its
    /// subscriber was removed, or that the sender has failed.
    End,
}
// ANCHOR_END: event

/// What one subscriber has read.
#[derive(Debug, PartialEq)]
struct Read {
    orders: Vec<u32>,
    is_complete: bool,
}

/// Reads an order in so many milliseconds.
async fn read(mut events: mpsc::Receiver<Event>, ms: u64) -> Read {
    let mut read = Read { orders: Vec::new(), is_complete: false };
    while let Some(event) = events.recv().await {
        match event {
            Event::Order(order) => read.orders.push(order),
            Event::End => read.is_complete = true,
        }
        sleep(Duration::from_millis(ms)).await;
    }
    read
}

async fn run() -> [Read; 3] {
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
        let orders = (1..=6).map(Event::Order);
        for (event, number) in orders.chain([Event::End]).zip(1..) {
            for name in fan_out.send(event).await {
                println!("{name} is removed at event {number}");
            }
        }
        drop(fan_out);
    };
    let (quick, slow, stuck, ()) = tokio::join!(
        read(quick, 1),
        read(slow, 100),
        read(stuck, 2000),
        send
    );
    [quick, slow, stuck]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let read = run().await;
    for (name, read) in ["quick", "slow", "stuck"].iter().zip(read) {
        let is_complete = match read.is_complete {
            true => "complete",
            false => "not complete",
        };
        println!("{name:<5} {:?}, {is_complete}", read.orders);
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(500);

    fn fan_out(
        subscribers: Vec<(&'static str, mpsc::Sender<Event>)>,
    ) -> FanOut {
        FanOut { patience: PATIENCE, subscribers }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_misses_nothing_and_stuck_is_removed() {
        let [quick, slow, stuck] = run().await;
        let all = vec![1, 2, 3, 4, 5, 6];
        let complete = Read { orders: all, is_complete: true };
        assert_eq!(quick, complete);
        assert_eq!(slow, complete);
        let orders = vec![1, 2, 3];
        assert_eq!(stuck, Read { orders, is_complete: false });
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_all_costs_one_patience() {
        let (one, _one) = mpsc::channel(1);
        let (two, _two) = mpsc::channel(1);
        let (three, mut reads) = mpsc::channel(4);
        let mut fan_out =
            fan_out(vec![("one", one), ("two", two), ("three", three)]);
        assert_eq!(fan_out.send(Event::Order(1)).await, [""; 0]);
        let sent = fan_out.send(Event::Order(2));
        let removed = within(PATIENCE * 2, sent).await;
        assert_eq!(removed, ["one", "two"]);
        assert!(matches!(reads.recv().await, Some(Event::Order(1))));
        assert!(matches!(reads.recv().await, Some(Event::Order(2))));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_sends_to_all_or_to_none() {
        at_every_poll(async |cancel| {
            let (quick, mut quick_reads) = mpsc::channel(2);
            let (slow, mut slow_reads) = mpsc::channel(1);
            let busy = slow.clone().try_reserve_owned();
            let busy = busy.expect("there is room");
            let free = async {
                sleep(PATIENCE / 2).await;
                drop(busy);
            };
            let mut fan_out =
                fan_out(vec![("quick", quick), ("slow", slow)]);
            let send = async {
                tokio::join!(fan_out.send(Event::End), free).0
            };
            let removed = cancel.run(send).await;
            assert!(removed.is_none_or(|names| names.is_empty()));
            assert_eq!(
                quick_reads.try_recv().is_ok(),
                slow_reads.try_recv().is_ok()
            );
            assert_eq!(fan_out.subscribers[0].1.capacity(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_makes_the_sender_wait_for_the_slowest() {
        let (one, quick) = mpsc::channel(2);
        let (two, slow) = mpsc::channel(2);
        let mut fan_out = fan_out(vec![("quick", one), ("slow", two)]);
        let start = tokio::time::Instant::now();
        let send = async {
            for order in 0..20 {
                let removed = fan_out.send(Event::Order(order)).await;
                assert_eq!(removed, [""; 0]);
            }
            fan_out.send(Event::End).await;
            drop(fan_out);
            start.elapsed()
        };
        let (quick, slow, took) =
            tokio::join!(read(quick, 0), read(slow, 400), send);
        assert!(quick.is_complete && slow.is_complete);
        assert_eq!((quick.orders.len(), slow.orders.len()), (20, 20));
        assert!(took >= Duration::from_millis(17 * 400));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_subscribers_are_removed() {
        let (one, reads) = mpsc::channel(1);
        let mut fan_out = fan_out(vec![("one", one)]);
        drop(reads);
        assert_eq!(fan_out.send(Event::End).await, ["one"]);
        assert!(fan_out.subscribers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_subscriber_and_the_same_name_twice() {
        let mut nobody = fan_out(vec![]);
        assert_eq!(nobody.send(Event::End).await, [""; 0]);
        let (one, mut reads) = mpsc::channel(1);
        let (other, gone) = mpsc::channel(1);
        drop(gone);
        let mut twice = fan_out(vec![("same", one), ("same", other)]);
        assert_eq!(twice.send(Event::Order(1)).await, ["same"]);
        assert_eq!(twice.subscribers.len(), 1);
        assert!(reads.recv().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_without_the_end_is_noticed() {
        let (one, reads) = mpsc::channel(4);
        let mut fan_out = fan_out(vec![("one", one)]);
        fan_out.send(Event::Order(1)).await;
        drop(fan_out); // It failed, say.
        let read = within(HOUR, read(reads, 0)).await;
        assert_eq!(read, Read { orders: vec![1], is_complete: false });
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_read_every_event_in_order() {
        let mut subscribers = Vec::new();
        let mut readers = tokio::task::JoinSet::new();
        for name in ["a", "b", "c", "d"] {
            let (queue, events) = mpsc::channel(2);
            subscribers.push((name, queue));
            readers.spawn(read(events, 0));
        }
        let patience = HOUR;
        let mut fan_out = FanOut { patience, subscribers };
        for order in 0..1000 {
            let removed = fan_out.send(Event::Order(order)).await;
            assert_eq!(removed, [""; 0]);
        }
        fan_out.send(Event::End).await;
        drop(fan_out);
        for read in readers.join_all().await {
            assert!(read.is_complete);
            assert!(read.orders.into_iter().eq(0..1000));
        }
    }
}
