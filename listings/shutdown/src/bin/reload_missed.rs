//! Wrong: a signal that arrives between two calls is missed.

#[cfg(unix)]
// ANCHOR: wrong
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
/// Reads the configuration again after SIGHUP.
async fn reload_on_hangup(mut reloads: Reloads) -> io::Result<()> {
    loop {
        // Wrong: a new stream misses signals that came before it.
        signal(SignalKind::hangup())?.recv().await;
        reloads.one().await;
    }
}
// ANCHOR_END: wrong

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
        // Both fail only if the other side was dropped.
        let _ = self.begun.send(()).await;
        self.go_on.recv().await;
    }
}

#[cfg(unix)]
/// Two signals, the second one during the first reload. Returns how many
/// reloads there were.
async fn two_signals() -> io::Result<u32> {
    let (begun, mut begins) = mpsc::channel(1);
    let (go_on, go_ons) = mpsc::channel(1);
    // From now on, the signal doesn't end the process.
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
            // It was delivered to every stream that existed.
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
    async fn again_during_a_reload_it_reloads_again() -> io::Result<()>
    {
        // It doesn't.
        assert_eq!(two_signals().await?, 1);
        Ok(())
    }
}
