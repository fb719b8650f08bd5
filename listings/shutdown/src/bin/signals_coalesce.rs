//! Signals aren't counted: several can arrive as one event.

#[cfg(unix)]
// ANCHOR: three
use std::io;

#[cfg(unix)]
use signal_hook::{consts::SIGHUP, low_level::raise};
#[cfg(unix)]
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Duration, timeout},
};

#[cfg(unix)]
/// Raises three signals, and returns how many events arrive. With
/// several threads, that can be more than one.
async fn three_signals() -> io::Result<u32> {
    let mut hangup = signal(SignalKind::hangup())?;
    for _ in 0..3 {
        raise(SIGHUP)?;
    }
    let mut events = 0;
    let a_while = Duration::from_millis(300);
    while timeout(a_while, hangup.recv()).await.is_ok() {
        events += 1;
    }
    Ok(events)
}
// ANCHOR_END: three

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    println!("three signals, {} event", three_signals().await?);
    Ok(())
}

/// Signals are what this is about.
#[cfg(not(unix))]
fn main() {
    println!("this program is for Unix");
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn three_are_one_on_one_thread() -> io::Result<()> {
        assert_eq!(three_signals().await?, 1);
        Ok(())
    }
}
