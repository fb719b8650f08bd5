//! A deadlock is found at once, with the clock paused.

// ANCHOR: detector
use tokio::time::{Duration, timeout};

/// No work in a test takes so long.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, PartialEq)]
struct Hangs;

/// Runs a scenario to its end, or says that it will never end.
///
/// For a paused clock: when every task waits for another one, the
/// clock jumps to the end of the year.
async fn ends<F: Future>(scenario: F) -> Result<F::Output, Hangs> {
    timeout(YEAR, scenario).await.map_err(|_| Hangs)
}
// ANCHOR_END: detector

use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};

// ANCHOR: scenarios
/// Takes two locks; another one needs some time in between.
async fn move_stock(from: &Mutex<u32>, to: &Mutex<u32>) {
    let mut from = from.lock().await;
    sleep(Duration::from_millis(1)).await;
    *to.lock().await += *from;
    *from = 0;
}

async fn in_one_order() {
    let (north, south) = (Mutex::new(3), Mutex::new(4));
    tokio::join!(
        move_stock(&north, &south),
        move_stock(&north, &south),
    );
}

async fn in_two_orders() {
    let (north, south) = (Mutex::new(3), Mutex::new(4));
    tokio::join!(
        move_stock(&north, &south),
        move_stock(&south, &north),
    );
}

/// Its own sender is still there, so the queue never ends.
async fn waits_for_itself() {
    let (sender, mut orders) = mpsc::channel(8);
    while orders.recv().await.is_some() {}
    drop::<mpsc::Sender<u32>>(sender);
}

async fn takes_half_a_year() {
    sleep(YEAR / 2).await;
}
// ANCHOR_END: scenarios

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("in one order:      {:?}", ends(in_one_order()).await);
    println!("in two orders:     {:?}", ends(in_two_orders()).await);
    println!("waits for itself:  {:?}", ends(waits_for_itself()).await);
    let slow = ends(takes_half_a_year()).await;
    println!("takes half a year: {slow:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tells_slow_from_hanging() {
        assert_eq!(ends(in_one_order()).await, Ok(()));
        assert_eq!(ends(takes_half_a_year()).await, Ok(()));
        assert_eq!(ends(in_two_orders()).await, Err(Hangs));
        assert_eq!(ends(waits_for_itself()).await, Err(Hangs));
    }
}
