//! One stream for the whole life hears each signal.

#[cfg(unix)]
// ANCHOR: reload
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
/// Reads the configuration again at each SIGHUP.
async fn reload_on_hangup(mut reloads: Reloads) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while let Some(()) = hangup.recv().await {
        reloads.one().await;
    }
    Ok(())
}
// ANCHOR_END: reload

#[cfg(unix)]
use signal_hook::{consts::SIGHUP, low_level::raise};
#[cfg(unix)]
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

#[cfg(unix)]
/// Reads the configuration, while the other side watches.
struct Reloads {
    begun: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

#[cfg(unix)]
impl Reloads {
    async fn one(&mut self) {
        // Both fail only where nobody watches any more.
        let _ = self.begun.send(()).await;
        self.go_on.recv().await;
    }
}

#[cfg(unix)]
/// Two signals, the second while the first is being dealt with. Returns
/// how many reloads there were.
async fn two_signals() -> io::Result<u32> {
    let (begun, mut begins) = mpsc::channel(1);
    let (go_on, go_ons) = mpsc::channel(1);
    // Now it does not end the process any more.
    let mut installed = signal(SignalKind::hangup())?;
    let reloads = Reloads { begun, go_on: go_ons };
    let reloading = tokio::spawn(reload_on_hangup(reloads));
    tokio::task::yield_now().await;
    raise(SIGHUP)?;
    let mut count = 0;
    while let Ok(Some(())) = timeout(PATIENCE, begins.recv()).await {
        count += 1;
        if count == 1 {
            installed.recv().await;
            raise(SIGHUP)?;
            // It was delivered, to all who listened.
            installed.recv().await;
        }
        let _ = go_on.send(()).await;
    }
    reloading.abort();
    Ok(count)
}

#[cfg(unix)]
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    println!("two signals, {} reloads", two_signals().await?);
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
    async fn both_are_heard() -> io::Result<()> {
        assert_eq!(two_signals().await?, 2);
        Ok(())
    }
}
