//! Flush a file before you drop it.

use std::{io, sync::mpsc};

use tokio::task::{spawn_blocking, yield_now};

// ANCHOR: save
use tokio::{fs::File, io::AsyncWriteExt};

/// After `Ok`, the system has all of the text. A power cut may still
/// lose it: if that matters, await `file.sync_all()` at the end.
///
/// After an error, part of the text may be in the file. After a
/// cancellation, more of the text may still be written later.
async fn save(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes()).await?;
    file.flush().await
}
// ANCHOR_END: save

/// Saves while the only thread for files is busy for a moment. Returns
/// whether that was `Ok`, and how many bytes were in the file by then.
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

/// Saves to a file that was opened for reading. Returns whether that
/// was `Ok`.
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
        assert_eq!(run(save_and_look())?, (true, 16));
        Ok(())
    }

    #[test]
    fn failure_is_returned() -> io::Result<()> {
        assert!(!run(save_to_read_only())?);
        Ok(())
    }

    /// Only `flush` returns the error of the last write.
    #[test]
    fn failure_is_hidden_by_a_sync_without_flush() -> io::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let file = std::fs::File::open(file.path())?;
        run(async {
            let mut file = File::from_std(file);
            file.write_all(b"order 7").await?;
            assert!(file.sync_data().await.is_ok());
            assert!(file.flush().await.is_err());
            file.write_all(b"order 7").await?;
            assert!(file.sync_all().await.is_ok());
            assert!(file.flush().await.is_err());
            Ok(())
        })
    }

    #[test]
    fn edges_of_a_text() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        for text in ["", "Jörg", &"order 7\n".repeat(1_000_000)] {
            let path = folder.path().join("orders.txt");
            let file = std::fs::File::create(&path)?;
            run(save(File::from_std(file), text))?;
            assert!(std::fs::read_to_string(&path)? == *text);
        }
        Ok(())
    }

    /// If `save` is canceled, its last write may happen later, and
    /// overwrite what the file contains by then.
    #[test]
    fn cancel_does_not_stop_a_write() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.txt");
        run(async {
            let file = File::from_std(std::fs::File::create(&path)?);
            let (free, is_free) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || is_free.recv().is_err());
            let mut saving = Box::pin(save(file, "order 7"));
            assert!(futures::poll!(&mut saving).is_pending());
            drop(saving);
            assert_eq!(std::fs::read_to_string(&path)?, "");
            std::fs::write(&path, "order 8, order 9")?;
            drop(free);
            busy.await?;
            spawn_blocking(|| ()).await?; // The only thread is free.
            let found = std::fs::read_to_string(&path)?;
            assert_eq!(found, "order 7, order 9");
            Ok(())
        })
    }

    /// Canceled, it leaves the start of the text, and nothing else.
    #[tokio::test]
    async fn cancel_leaves_a_part() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let text = "order 7, order 8\n".repeat(500_000);
        hazards::at_every_poll(async |cancel| {
            let path = folder.path().join("orders.txt");
            let file = std::fs::File::create(&path);
            let file = File::from_std(file.expect("it is created"));
            let saved = cancel.run(save(file, &text)).await;
            let found = std::fs::read_to_string(&path);
            let found = found.expect("it is text");
            assert!(text.starts_with(&found));
            assert!(saved.is_none() || found == text);
        })
        .await;
        Ok(())
    }
}
