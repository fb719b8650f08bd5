//! Pin a timer in a field, a future behind a box, and the futures that race.

use std::{pin::Pin, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, select_all},
};
use tokio::time::{Instant, Sleep, sleep};

// ANCHOR: station
async fn reading(station: u32) -> u32 {
    sleep(Duration::from_millis(10 * u64::from(station))).await;
    15 + station
}

struct Station {
    /// A field that's polled repeatedly contains a pinned box.
    next_report: Pin<Box<Sleep>>,
}

impl Station {
    async fn report(&mut self) -> u32 {
        self.next_report.as_mut().await;
        let next = Instant::now() + Duration::from_secs(60);
        self.next_report.as_mut().reset(next);
        reading(1).await
    }
}
// ANCHOR_END: station

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let next_report = Box::pin(sleep(Duration::from_secs(60)));
    let mut station = Station { next_report };
    println!("{}, {}", station.report().await, station.report().await);

    let plain: Box<dyn Future<Output = u32>> = Box::new(reading(2));
    println!("{}", Box::into_pin(plain).await);

    let race: Vec<BoxFuture<'_, u32>> =
        vec![reading(4).boxed(), reading(3).boxed()];
    let (first, index, _others) = select_all(race).await;
    println!("{first} from future {index}");
}
// ANCHOR_END: main
