//! Wrong: a file is dropped before its last write has completed.

use std::{io, sync::mpsc};

use tokio::task::{spawn_blocking, yield_now};

// ANCHOR: wrong
use tokio::{fs::File, io::AsyncWriteExt};

/// Wrong: `Ok` only means that the text is on its way to a thread. The
/// write can still fail, and nothing would report that.
async fn save(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes()).await
}
// ANCHOR_END: wrong

/// Saves while the one thread for files is busy for a moment. Returns
/// what it said, and how many bytes are in the file when it is said.
async fn save_and_look() -> io::Result<(bool, u64)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.txt");
    let file = File::from_std(std::fs::File::create(&path)?);
    let (free, is_free) = mpsc::channel::<()>();
    let busy = spawn_blocking(move || is_free.recv().is_err());
    let save = async {
        let saved = save(file, "order 7, order 8").await.is_ok();
        io::Result::Ok((saved, std::fs::metadata(&path)?.len()))
    };
    let after_a_moment = async {
        for _ in 0..10 {
            yield_now().await;
        }
        drop(free);
    };
    let (seen, ()) = tokio::join!(biased; save, after_a_moment);
    busy.await?;
    seen
}

/// Saves to a file that was opened for reading. Returns whether it
/// said that it is saved.
async fn save_to_read_only() -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.txt");
    std::fs::write(&path, "")?;
    let file = File::from_std(std::fs::File::open(&path)?);
    Ok(save(file, "order 7").await.is_ok())
}

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()?;
    let (saved, bytes) = runtime.block_on(save_and_look())?;
    println!("saved: {saved}, in the file: {bytes} bytes");
    let saved = runtime.block_on(save_to_read_only())?;
    println!("saved to a file that is read-only: {saved}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(
        future: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).max_blocking_threads(1);
        builder.build()?.block_on(future)
    }

    #[test]
    fn slow_thread_for_files() -> io::Result<()> {
        assert_eq!(run(save_and_look())?, (true, 0));
        Ok(())
    }

    #[test]
    fn failure_is_returned() -> io::Result<()> {
        assert!(run(save_to_read_only())?);
        Ok(())
    }
}
