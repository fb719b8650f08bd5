//! Await a handle where it is, and take out only what a call consumes.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;

async fn drive(mut stop: oneshot::Receiver<()>) -> u32 {
    let mut parcels = 0;
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => return parcels,
            () = sleep(Duration::from_secs(1)) => parcels += 1,
        }
    }
}

// ANCHOR: courier
struct Courier {
    stop: Option<oneshot::Sender<()>>,
    tour: Option<JoinHandle<u32>>,
}

impl Courier {
    /// Stops the tour, and returns the number of delivered parcels, or
    /// `None` if an earlier call has returned it.
    ///
    /// Cancel safe: the handle stays in its field until the tour ends.
    async fn stop(&mut self) -> Option<Result<u32, JoinError>> {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        let tour = self.tour.as_mut()?;
        let parcels = tour.await;
        self.tour = None;
        Some(parcels)
    }
}
// ANCHOR_END: courier

fn start() -> Courier {
    let (stop, stopped) = oneshot::channel();
    let tour = tokio::spawn(drive(stopped));
    Courier { stop: Some(stop), tour: Some(tour) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let mut courier = start();
    sleep(Duration::from_millis(2500)).await;
    let parcels = courier.stop().await.transpose()?;
    println!("delivered: {parcels:?}");
    let again = courier.stop().await.transpose()?;
    println!("asked again: {again:?}");
    Ok(())
}
