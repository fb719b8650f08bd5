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

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, no_task_left};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_keeps_the_result_for_the_next_call() {
        at_every_poll(async |cancel| {
            let mut courier = start();
            sleep(Duration::from_millis(2500)).await;
            if cancel.run(courier.stop()).await.is_none() {
                let parcels = courier.stop().await.transpose();
                assert_eq!(parcels.expect("no panic"), Some(2));
            }
            assert!(courier.stop().await.is_none());
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_tour_is_returned_once() {
        let tour = tokio::spawn(async { panic!("a flat tire") });
        let mut courier = Courier { stop: None, tour: Some(tour) };
        let ended = courier.stop().await.expect("the first call");
        assert!(ended.expect_err("it panicked").is_panic());
        assert!(courier.stop().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_tour() {
        let courier = start();
        sleep(Duration::from_millis(2500)).await;
        drop(courier);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_tour_that_has_ended_is_returned() {
        let (stop, _stopped) = oneshot::channel();
        let tour = Some(tokio::spawn(async { 7 }));
        let mut courier = Courier { stop: Some(stop), tour };
        tokio::task::yield_now().await;
        let parcels = courier.stop().await.transpose();
        assert_eq!(parcels.expect("no panic"), Some(7));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_stop_before_or_after_the_first_poll() {
        for _ in 0..100 {
            let mut courier = start();
            let parcels = courier.stop().await.transpose();
            assert_eq!(parcels.expect("no panic"), Some(0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn again_and_stop_end_the_tour_once() {
        let mut courier = start();
        assert!(courier.stop().await.is_some());
        assert!(courier.stop().await.is_none());
        no_task_left().await;
    }
}
