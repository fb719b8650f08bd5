//! Fails: everyone_gets_a_turn, an_idle_source_leaves_the_slots_to_others
//! It reserves a slot before there is an item, and holds it as long as the source is idle. Each beat drops `reserve`, and its place.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub async fn forward<T>(
    source: &mut mpsc::Receiver<T>,
    sink: &mpsc::Sender<T>,
    stop: &CancellationToken,
    mut beat: impl FnMut(),
) -> Option<T> {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut slot = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sink.closed() => return None,
            _ = seconds.tick() => beat(),
            permit = sink.reserve(), if slot.is_none() => match permit {
                Ok(permit) => slot = Some(permit),
                Err(_) => return None,
            },
            item = source.recv(), if slot.is_some() => {
                slot.take()?.send(item?);
            }
        }
    }
}
