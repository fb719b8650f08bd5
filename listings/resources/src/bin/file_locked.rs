//! Lock a file with a time limit: try every 50 ms.

// ANCHOR: lock
use std::{
    fs::{File, TryLockError},
    io,
    path::PathBuf,
};

use tokio::{
    fs::OpenOptions,
    time::{Duration, sleep, timeout},
};

/// Opens or creates a file, and waits up to `limit` for its lock.
/// Dropping the file unlocks it. If this future is dropped, it leaves
/// no lock behind.
///
/// # Errors
///
/// The file can't be opened within `limit` (or a second, if that's
/// longer), or another program keeps the lock for longer than `limit`.
async fn locked(path: PathBuf, limit: Duration) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let opening = limit.max(Duration::from_secs(1));
    let file = timeout(opening, options.open(path)).await??;
    let file = file.into_std().await;
    let lock = async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    timeout(limit, lock).await??;
    Ok(file)
}
// ANCHOR_END: lock

use tokio::time::Instant;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.lock");
    let start = Instant::now();
    let first = locked(path.clone(), Duration::from_secs(1)).await?;
    let impatient = locked(path.clone(), Duration::from_millis(80));
    if let Err(error) = impatient.await {
        println!("{:>3} ms  {error}", start.elapsed().as_millis());
    }
    let unlock = async {
        sleep(Duration::from_millis(120)).await;
        drop(first);
    };
    let patient = locked(path, Duration::from_secs(1));
    let (second, ()) = tokio::join!(biased; patient, unlock);
    let text = if second.is_ok() { "locked" } else { "failed" };
    println!("{:>3} ms  {text}", start.elapsed().as_millis());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn cancel_leaves_no_lock() {
        at_every_poll(async |cancel| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("lock");
            let limit = Duration::from_secs(10);
            drop(cancel.run(locked(path.clone(), limit)).await);
            locked(path, limit).await.expect("nobody has the lock");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_owner_is_an_error() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let _owner = locked(path.clone(), Duration::ZERO).await?;
        let limit = Duration::from_secs(5);
        let waiting = within(HOUR, locked(path, limit)).await;
        let error = waiting.expect_err("another has it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        Ok(())
    }

    /// Nobody reads from the FIFO, so a thread waits in `open`.
    #[cfg(unix)]
    #[tokio::test]
    async fn silence_of_a_fifo_is_an_error() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let made =
            std::process::Command::new("mkfifo").arg(&path).status()?;
        assert!(made.success());
        let waiting = locked(path.clone(), Duration::ZERO);
        let limit = Duration::from_secs(30);
        let ended = timeout(limit, waiting).await;
        // Unblocks the thread that the runtime would wait for.
        let mut reader = File::options();
        drop(reader.read(true).write(true).open(path)?);
        let error = ended?.expect_err("nobody reads from it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_have_it_one_at_a_time() -> io::Result<()> {
        static HELD: AtomicBool = AtomicBool::new(false);
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let path = path.clone();
            tasks.spawn(async move {
                let limit = Duration::from_secs(60);
                let file = locked(path, limit).await?;
                assert!(!HELD.swap(true, Ordering::SeqCst));
                sleep(Duration::from_millis(2)).await;
                HELD.store(false, Ordering::SeqCst);
                drop(file);
                io::Result::Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect()
    }

    #[tokio::test]
    async fn failure_to_open_is_returned() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("missing/lock");
        let error = locked(path, Duration::ZERO).await;
        let error = error.expect_err("no such folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_patience_and_a_file_with_text() -> io::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        std::fs::write(&path, "text")?;
        drop(locked(path.clone(), Duration::ZERO).await?);
        assert_eq!(std::fs::read_to_string(&path)?, "text");
        Ok(())
    }

    #[tokio::test]
    async fn again_in_the_same_process_it_waits() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let first = locked(path.clone(), Duration::ZERO).await?;
        assert!(locked(path.clone(), Duration::ZERO).await.is_err());
        drop(first);
        locked(path, Duration::ZERO).await.map(drop)
    }

    /// Shows why the file must not be deleted.
    #[cfg(unix)]
    #[tokio::test]
    async fn again_after_a_deletion_two_have_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lock");
        let _first = locked(path.clone(), Duration::ZERO).await?;
        std::fs::remove_file(&path)?;
        locked(path, Duration::ZERO).await.map(drop)
    }
}
