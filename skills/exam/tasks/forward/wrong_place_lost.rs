//! Fails: everyone_gets_a_turn
//! Each beat drops the future of `reserve`, and the next one is last in the line again.

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
    let mut held = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return held,
            () = sink.closed() => return held,
            _ = seconds.tick() => beat(),
            item = source.recv(), if held.is_none() => match item {
                Some(item) => held = Some(item),
                None => return None,
            },
            permit = sink.reserve(), if held.is_some() => match (permit, held.take()) {
                (Ok(permit), Some(item)) => permit.send(item),
                (_, item) => return item,
            },
        }
    }
}
