//! Fails: it_beats_while_the_sink_is_full, a_stop_while_the_sink_is_full_loses_nothing, it_ends_when_nobody_receives
//! The handler of a branch waits for the sink, and nothing else is polled meanwhile.

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
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            _ = seconds.tick() => beat(),
            item = source.recv() => {
                if let Err(unsent) = sink.send(item?).await {
                    return Some(unsent.0);
                }
            }
        }
    }
}
