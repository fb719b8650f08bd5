//! A file is replaced as a whole, in one trip to the blocking pool.

// ANCHOR: replace
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// A reader always sees all of the old text or all of the new text, even
/// after a crash. After `Ok`, it's the new text, on Unix even after a
/// power cut.
///
/// On cancellation, the file is replaced anyway, unless the runtime
/// shuts down before a thread has started the work. Overlapping calls
/// can finish in any order.
async fn replace(path: PathBuf, text: String) -> io::Result<()> {
    let write = move || {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        sync_folder(folder)
    };
    spawn_blocking(write).await.map_err(io::Error::other)?
}

/// The text is on the disk. Syncs the file's new name as well.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Windows can't sync a folder this way.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
// ANCHOR_END: replace

async fn old_and_new() -> io::Result<[String; 2]> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.json");
    replace(path.clone(), "[7]".to_owned()).await?;
    let old = tokio::fs::read_to_string(&path).await?;
    replace(path.clone(), "[7, 8]".to_owned()).await?;
    Ok([old, tokio::fs::read_to_string(&path).await?])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for text in old_and_new().await? {
        println!("{text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;
    use tokio::task::JoinSet;

    use super::*;

    const OLD: &str = "[7]";
    const NEW: &str = "[7, 8]";

    /// A folder with a file that has the old text.
    fn old() -> io::Result<(tempfile::TempDir, PathBuf)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.json");
        std::fs::write(&path, OLD)?;
        Ok((folder, path))
    }

    fn files(folder: &Path) -> io::Result<usize> {
        Ok(std::fs::read_dir(folder)?.count())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_see_no_half_of_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.json");
        let text = |digit: u32| digit.to_string().repeat(100_000);
        replace(path.clone(), text(0)).await?;
        let mut tasks = JoinSet::new();
        for digit in 1..10 {
            tasks.spawn(replace(path.clone(), text(digit)));
            let seen = tokio::fs::read_to_string(&path).await?;
            assert_eq!(seen.len(), 100_000);
            let first = &seen[..1];
            assert_eq!(seen, first.repeat(100_000));
        }
        while let Some(replaced) = tasks.join_next().await {
            replaced.map_err(io::Error::other)??;
        }
        Ok(())
    }

    #[tokio::test]
    async fn cancel_does_all_or_nothing() -> io::Result<()> {
        let (folder, path) = old()?;
        at_every_poll(async |cancel| {
            std::fs::write(&path, OLD).expect("the folder is there");
            cancel.run(replace(path.clone(), NEW.to_owned())).await;
            let expected = if cancel.polls() == 0 { OLD } else { NEW };
            loop {
                let text = std::fs::read_to_string(&path);
                let text = text.expect("it is never missing");
                assert!([OLD, NEW].contains(&&*text), "{text}");
                if text == expected {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(files(folder.path())?, 1);
        Ok(())
    }

    /// A canceled call waits for a thread. Meanwhile, a newer text is
    /// written, and the canceled call replaces it, as documented.
    #[test]
    fn again_a_canceled_call_replaces_a_newer_text() -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()?;
        let (_folder, path) = old()?;
        runtime.block_on(async {
            let (free, is_free) = std::sync::mpsc::channel::<()>();
            let busy = spawn_blocking(move || is_free.recv().is_err());
            let call = replace(path.clone(), OLD.to_owned());
            let mut canceled = Box::pin(call);
            assert!(futures::poll!(&mut canceled).is_pending());
            drop(canceled);
            std::fs::write(&path, NEW)?;
            drop(free);
            busy.await?;
            spawn_blocking(|| ()).await?; // Waits for the only thread.
            assert_eq!(std::fs::read_to_string(&path)?, OLD);
            Ok(())
        })
    }

    /// What a process leaves that dies before the rename.
    #[tokio::test]
    async fn crash_before_the_rename_keeps_the_old_text()
    -> io::Result<()> {
        let (folder, path) = old()?;
        let mut torn = NamedTempFile::new_in(folder.path())?;
        torn.write_all(&NEW.as_bytes()[..3])?;
        let (_, torn) = torn.keep()?;
        assert_eq!(std::fs::read_to_string(&path)?, OLD);
        replace(path.clone(), NEW.to_owned()).await?;
        assert_eq!(std::fs::read_to_string(&path)?, NEW);
        assert!(torn.exists());
        Ok(())
    }

    #[tokio::test]
    async fn failure_keeps_the_old_text() -> io::Result<()> {
        let path = PathBuf::from("no/such/folder/orders.json");
        assert!(replace(path, String::new()).await.is_err());
        // A folder can't be replaced by a file.
        let (folder, path) = old()?;
        let target = folder.path().to_owned();
        assert!(replace(target, NEW.to_owned()).await.is_err());
        assert_eq!(std::fs::read_to_string(&path)?, OLD);
        assert_eq!(files(folder.path())?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn again_it_is_the_same() -> io::Result<()> {
        let (folder, path) = old()?;
        for _ in 0..2 {
            replace(path.clone(), NEW.to_owned()).await?;
            assert_eq!(std::fs::read_to_string(&path)?, NEW);
        }
        assert_eq!(files(folder.path())?, 1);
        Ok(())
    }

    /// A rename replaces the link, and not the file behind it.
    #[cfg(unix)]
    #[tokio::test]
    async fn edges_of_links_and_permissions() -> io::Result<()> {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let (folder, path) = old()?;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open)?;
        let link = folder.path().join("link.json");
        symlink(&path, &link)?;
        replace(link.clone(), NEW.to_owned()).await?;
        assert_eq!(std::fs::read_to_string(&path)?, OLD);
        assert!(!std::fs::symlink_metadata(&link)?.is_symlink());
        replace(path.clone(), String::new()).await?;
        let mode = std::fs::metadata(path)?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }
}
