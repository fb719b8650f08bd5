//! One stream, kept for as long as the program runs, misses no signal.

#[cfg(unix)]
// ANCHOR: reload
use std::io::{self, Write};

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
/// Reads the configuration again after SIGHUP. If that fails, panics, or
/// takes too long, the old configuration stays. Returns only if the signal
/// can't be handled; drop it to stop.
async fn reload_on_hangup(mut reloads: Reloads) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while let Some(()) = hangup.recv().await {
        // The reload is dropped inside, so a panic in `drop` is caught.
        let reload = async { timeout(LIMIT, reloads.one()).await };
        let why = match AssertUnwindSafe(reload).catch_unwind().await {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_elapsed)) => "too slow".to_owned(),
            Err(_panic) => "it panicked".to_owned(),
        };
        // Printing with a macro panics if stderr is closed, which would
        // end the loop.
        let _ = writeln!(io::stderr(), "not reloaded: {why}");
    }
    Ok(())
}

#[cfg(unix)]
/// The time limit of a reload.
const LIMIT: Duration = Duration::from_secs(5);
// ANCHOR_END: reload

#[cfg(unix)]
use signal_hook::{consts::SIGHUP, low_level::raise};
#[cfg(unix)]
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

#[cfg(unix)]
use std::panic::AssertUnwindSafe;

#[cfg(unix)]
use futures::FutureExt;

#[cfg(unix)]
/// Reads the configuration, while the other side watches.
struct Reloads {
    begun: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

#[cfg(unix)]
impl Reloads {
    async fn one(&mut self) -> io::Result<()> {
        let begun = self.begun.send(()).await;
        begun.map_err(io::Error::other)?;
        #[cfg(test)]
        if tests::PANICS
            .swap(false, std::sync::atomic::Ordering::Relaxed)
        {
            std::panic::resume_unwind(Box::new("no file"));
        }
        #[cfg(test)]
        let _guard = tests::PanicsInDrop;
        match self.go_on.recv().await {
            Some(()) => Ok(()),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
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
        let _one = ONE.lock().await;
        assert_eq!(two_signals().await?, 2);
        Ok(())
    }

    /// A reload that fails is no reason to miss the next signal.
    #[tokio::test]
    async fn failure_of_a_reload_leaves_it_listening() -> io::Result<()>
    {
        let _one = ONE.lock().await;
        let (begun, mut begins) = mpsc::channel(1);
        let (go_on, go_ons) = mpsc::channel(1);
        drop(go_on);
        let reloads = Reloads { begun, go_on: go_ons };
        let reloading = tokio::spawn(reload_on_hangup(reloads));
        tokio::task::yield_now().await;
        for _ in 0..3 {
            raise(SIGHUP)?;
            let begun = timeout(20 * PATIENCE, begins.recv()).await?;
            assert_eq!(begun, Some(()));
        }
        assert!(!reloading.is_finished());
        reloading.abort();
        Ok(())
    }

    /// A terminal that closes sends SIGHUP, too. This runs the test
    /// above in a process whose stderr is closed.
    #[test]
    fn failure_of_stderr_leaves_it_listening() {
        let test = "failure_of_a_reload_leaves_it_listening";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    pub static PANICS: std::sync::atomic::AtomicBool =
        std::sync::atomic::AtomicBool::new(false);

    #[tokio::test]
    async fn panic_of_a_reload_leaves_it_listening() -> io::Result<()> {
        let _one = ONE.lock().await;
        let (begun, mut begins) = mpsc::channel(1);
        let (_go_on, go_ons) = mpsc::channel(1);
        let reloads = Reloads { begun, go_on: go_ons };
        let reloading = tokio::spawn(reload_on_hangup(reloads));
        tokio::task::yield_now().await;
        PANICS.store(true, std::sync::atomic::Ordering::Relaxed);
        for _ in 0..2 {
            raise(SIGHUP)?;
            let begun = timeout(20 * PATIENCE, begins.recv()).await?;
            assert_eq!(begun, Some(()));
        }
        reloading.abort();
        Ok(())
    }

    static IN_DROP: std::sync::atomic::AtomicBool =
        std::sync::atomic::AtomicBool::new(false);

    pub struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if IN_DROP.swap(false, std::sync::atomic::Ordering::Relaxed)
            {
                std::panic::resume_unwind(Box::new("in `drop`"));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_limit_leaves_it_listening()
    -> io::Result<()> {
        let _one = ONE.lock().await;
        let (begun, mut begins) = mpsc::channel(1);
        let (_go_on, go_ons) = mpsc::channel(1);
        let reloads = Reloads { begun, go_on: go_ons };
        let reloading = tokio::spawn(reload_on_hangup(reloads));
        tokio::task::yield_now().await;
        IN_DROP.store(true, std::sync::atomic::Ordering::Relaxed);
        for _ in 0..3 {
            raise(SIGHUP)?;
            assert_eq!(begins.recv().await, Some(()));
        }
        reloading.abort();
        Ok(())
    }

    /// A reload that never ends holds up the next one for a while only.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_reload_leaves_it_listening() -> io::Result<()>
    {
        let _one = ONE.lock().await;
        let (begun, mut begins) = mpsc::channel(1);
        let (_go_on, go_ons) = mpsc::channel(1);
        let reloads = Reloads { begun, go_on: go_ons };
        let reloading = tokio::spawn(reload_on_hangup(reloads));
        tokio::task::yield_now().await;
        for _ in 0..3 {
            raise(SIGHUP)?;
            assert_eq!(begins.recv().await, Some(()));
        }
        reloading.abort();
        Ok(())
    }

    /// A signal reaches every test of this process.
    static ONE: tokio::sync::Mutex<()> =
        tokio::sync::Mutex::const_new(());
}
