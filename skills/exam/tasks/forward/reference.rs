//! The future of `reserve` is its place in the line for `sink`: it's created once for each item, and not before there is one.

use std::pin::pin;
use std::time::Duration;
use tokio::select;
use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

pub async fn forward<T>(
    source: &mut mpsc::Receiver<T>,
    sink: &mpsc::Sender<T>,
    stop: &CancellationToken,
    mut beat: impl FnMut(),
) -> Option<T> {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        let item = select! {
            biased;
            () = stop.cancelled() => return None,
            () = sink.closed() => return None,
            _ = seconds.tick() => {
                beat();
                continue;
            }
            item = source.recv() => item?,
        };
        let mut place = pin!(sink.reserve());
        let permit = loop {
            select! {
                biased;
                () = stop.cancelled() => return Some(item),
                _ = seconds.tick() => beat(),
                permit = &mut place => break permit,
            }
        };
        match permit {
            Ok(permit) => permit.send(item),
            Err(_) => return Some(item),
        }
    }
}
