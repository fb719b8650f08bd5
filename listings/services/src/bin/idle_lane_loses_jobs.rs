//! Wrong: a lane that was idle ends, and loses the job that arrives meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::mpsc,
    time::{Duration, sleep, timeout},
};

// ANCHOR: wrong
/// Runs the steps of an order until none has come for a while.
async fn run(order: u32, mut steps: mpsc::Receiver<Step>, shop: Shop) {
    while let Ok(Some(step)) = timeout(IDLE, steps.recv()).await {
        lock(&shop.done).push((order, step));
    }
    write_statistics(order).await;
    // Wrong: a step that was sent since the timeout is dropped.
    lock(&shop.lanes).remove(&order);
}

fn submit(shop: &Shop, order: u32, step: Step) -> Result<(), Full> {
    let mut lanes = lock(&shop.lanes);
    let lane = lanes.entry(order).or_insert_with(|| {
        let (lane, steps) = mpsc::channel(16);
        tokio::spawn(run(order, steps, shop.clone()));
        lane
    });
    lane.try_send(step)
}
// ANCHOR_END: wrong

type Step = &'static str;
type Full = mpsc::error::TrySendError<Step>;

#[derive(Clone, Default)]
struct Shop {
    lanes: Arc<Mutex<HashMap<u32, mpsc::Sender<Step>>>>,
    done: Arc<Mutex<Vec<(u32, Step)>>>,
}

const IDLE: Duration = Duration::from_secs(60);

async fn write_statistics(_order: u32) {
    sleep(Duration::from_millis(10)).await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Full> {
    let shop = Shop::default();
    submit(&shop, 7, "placed")?;
    sleep(IDLE + Duration::from_millis(5)).await;
    submit(&shop, 7, "paid")?;
    println!("submitted: placed, paid");
    sleep(2 * IDLE).await;
    println!("done: {:?}", lock(&shop.done));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_task_and_the_next_event_is_handled() {
        let shop = Shop::default();
        assert!(submit(&shop, 7, "placed").is_ok());
        sleep(IDLE + Duration::from_millis(5)).await;
        // It was accepted, but never done.
        assert!(submit(&shop, 7, "paid").is_ok());
        hazards::no_task_left_after(hazards::HOUR).await;
        assert_eq!(*lock(&shop.done), [(7, "placed")]);
    }
}
