//! Follow a growing file: at its end, wait and read again.

use std::io;

use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader},
    sync::mpsc::Sender,
    time::{Duration, sleep},
};

// ANCHOR: follow
const LONGEST: u64 = 64 * 1024;

/// Sends the file's lines from its current position on, and then the
/// appended lines, until the receiver is dropped. If the file gets
/// shorter, it starts over. It replaces invalid UTF-8.
///
/// # Errors
///
/// Reading fails, or a line is too long.
async fn follow(file: File, lines: Sender<String>) -> io::Result<()> {
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        let room = LONGEST - line.len() as u64;
        let mut limited = (&mut file).take(room);
        let read = limited.read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_some() {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(text).await.is_err() {
                return Ok(());
            }
            line.clear();
        } else if line.len() as u64 == LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        } else if read == 0 {
            // The end for now. A partial line stays in `line`.
            tokio::select! {
                biased;
                () = lines.closed() => return Ok(()),
                () = sleep(Duration::from_millis(100)) => {}
            }
            let length = file.get_ref().metadata().await?.len();
            if length < file.stream_position().await? {
                file.rewind().await?;
                line.clear();
            }
        }
    }
}
// ANCHOR_END: follow

use std::{io::Write, path::Path};

use tokio::sync::mpsc;

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::File::options().append(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");
    std::fs::write(&path, "order 7 placed\norder 8 ")?;
    let (sender, mut lines) = mpsc::channel(16);
    let following =
        tokio::spawn(follow(File::open(&path).await?, sender));
    println!("{:?}", lines.recv().await);
    sleep(Duration::from_secs(1)).await;
    append(&path, "canceled\n")?;
    println!("{:?}", lines.recv().await);
    std::fs::write(&path, "order 9 placed\n")?;
    println!("{:?}", lines.recv().await);
    drop(lines);
    following.await?
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    /// A file that contains `text`.
    async fn written(
        text: &str,
    ) -> io::Result<(tempfile::TempPath, File)> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let path = file.into_temp_path();
        let file = File::open(&path).await?;
        Ok((path, file))
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_sends_whole_lines_in_order() {
        at_every_poll(async |cancel| {
            let (_path, file) =
                written("a\nb\nc").await.expect("a file");
            let (sender, mut lines) = mpsc::channel(16);
            let following = follow(file, sender);
            let limit = Duration::from_millis(250);
            let following = tokio::time::timeout(limit, following);
            _ = cancel.run(following).await;
            let mut sent = String::new();
            while let Some(line) = lines.recv().await {
                sent += &line;
            }
            assert!("ab".starts_with(&sent), "{sent}");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writer_of_a_line_is_waited_for() -> io::Result<()> {
        let (path, file) = written("").await?;
        let (sender, mut lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        for piece in ["or", "der ", "7\nor", "der 8\n"] {
            append(&path, piece)?;
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(lines.recv().await.as_deref(), Some("order 7"));
        assert_eq!(lines.recv().await.as_deref(), Some("order 8"));
        drop(lines);
        within(HOUR, following).await?
    }

    #[tokio::test(start_paused = true)]
    async fn slow_receiver_bounds_the_queue() -> io::Result<()> {
        let (_path, file) = written(&"order\n".repeat(1000)).await?;
        let (sender, mut lines) = mpsc::channel(4);
        let following = tokio::spawn(follow(file, sender));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(lines.len(), 4);
        for _ in 0..1000 {
            assert_eq!(lines.recv().await.as_deref(), Some("order"));
        }
        drop(lines);
        within(HOUR, following).await?
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_it_in_silence() -> io::Result<()> {
        let (_path, file) = written("half").await?;
        let (sender, lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        sleep(Duration::from_secs(1)).await;
        drop(lines);
        within(Duration::from_secs(1), following).await?
    }

    #[tokio::test(start_paused = true)]
    async fn again_after_a_truncation_it_starts_over() -> io::Result<()>
    {
        let (path, file) = written("order 7\nhalf").await?;
        let (sender, mut lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        assert_eq!(lines.recv().await.as_deref(), Some("order 7"));
        sleep(Duration::from_secs(1)).await;
        std::fs::write(&path, "8\n")?;
        assert_eq!(lines.recv().await.as_deref(), Some("8"));
        drop(lines);
        within(HOUR, following).await?
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn failure_to_read_is_returned() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let folder = File::open(folder.path()).await?;
        let (sender, _lines) = mpsc::channel(1);
        assert!(follow(folder, sender).await.is_err());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_line() -> io::Result<()> {
        let longest = "x".repeat(LONGEST as usize - 1);
        for good in ["", "Jörg", "order 7\r", &longest] {
            let (_path, file) = written(&format!("{good}\n")).await?;
            let (sender, mut lines) = mpsc::channel(1);
            let following = tokio::spawn(follow(file, sender));
            assert_eq!(lines.recv().await.as_deref(), Some(good));
            drop(lines);
            within(HOUR, following).await??;
        }
        let (_path, file) = written(&format!("{longest}x\n")).await?;
        let (sender, _lines) = mpsc::channel(1);
        assert!(follow(file, sender).await.is_err());
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_append_while_it_reads() -> io::Result<()> {
        let (path, file) = written("").await?;
        let (sender, mut lines) = mpsc::channel(16);
        let following = tokio::spawn(follow(file, sender));
        let writing = std::thread::spawn(move || {
            (0..500)
                .try_for_each(|it| append(&path, &format!("{it}\n")))
        });
        for expected in 0..500 {
            let line = lines.recv().await;
            assert_eq!(line, Some(expected.to_string()));
        }
        drop(lines);
        writing.join().expect("no panic")?;
        within(Duration::from_secs(10), following).await?
    }

    /// A truncation that it doesn't notice: during its pause, the file
    /// gets longer than it was.
    #[tokio::test(start_paused = true)]
    async fn again_a_longer_file_is_read_from_the_same_position()
    -> io::Result<()> {
        let (path, file) = written("order 7\n").await?;
        let (sender, mut lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        assert_eq!(lines.recv().await.as_deref(), Some("order 7"));
        std::fs::write(&path, "order 8 placed\n")?;
        assert_eq!(lines.recv().await.as_deref(), Some("placed"));
        drop(lines);
        within(HOUR, following).await?
    }

    /// The loop also misses a truncation while it waits to send a line.
    #[tokio::test(start_paused = true)]
    async fn slow_receiver_hides_a_truncation() -> io::Result<()> {
        let (path, file) = written("1\n2\n3\n").await?;
        let (sender, mut lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        sleep(Duration::from_secs(10)).await;
        std::fs::write(&path, "4\n5\n6\n7\n")?;
        for expected in ["1", "2", "3", "7"] {
            assert_eq!(lines.recv().await.as_deref(), Some(expected));
        }
        drop(lines);
        within(HOUR, following).await?
    }

    #[tokio::test(start_paused = true)]
    async fn again_from_a_saved_position() -> io::Result<()> {
        let (_path, mut file) = written("order 7\norder 8\n").await?;
        file.seek(io::SeekFrom::Start(8)).await?;
        let (sender, mut lines) = mpsc::channel(1);
        let following = tokio::spawn(follow(file, sender));
        assert_eq!(lines.recv().await.as_deref(), Some("order 8"));
        drop(lines);
        within(HOUR, following).await?
    }
}
