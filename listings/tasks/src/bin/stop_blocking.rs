//! The closure looks whether it should stop.

use std::sync::mpsc;

use tokio::task;
use tokio_util::sync::CancellationToken;

// ANCHOR: stop_and_see
/// Imports rows until it is told to stop, and says how many.
fn import(rows: &[u32], stop: &CancellationToken) -> usize {
    rows.iter().take_while(|_| !stop.is_cancelled()).count()
}

async fn stop_and_see() -> String {
    let stop = CancellationToken::new();
    let told = stop.clone();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let task = task::spawn_blocking(move || {
        begun.send(()).expect("someone waits for it");
        may_go_on.recv().ok();
        import(&[1, 2, 3], &told)
    });
    has_begun.recv().expect("it begins");
    stop.cancel();
    drop(go_on);
    match task.await {
        Ok(rows) => format!("stopped: {rows} of 3 rows imported"),
        Err(error) => error.to_string(),
    }
}
// ANCHOR_END: stop_and_see

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}", stop_and_see().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOPPED: &str = "stopped: 0 of 3 rows imported";

    #[tokio::test]
    async fn it_stops_between_two_rows() {
        assert_eq!(stop_and_see().await, STOPPED);
        let never = CancellationToken::new();
        assert_eq!(import(&[1, 2, 3], &never), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_stops_on_many_threads() {
        assert_eq!(stop_and_see().await, STOPPED);
    }
}
