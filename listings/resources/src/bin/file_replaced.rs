//! A file is replaced as a whole, in one trip to the blocking pool.

// ANCHOR: replace
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Whoever reads the file sees all of the old or all of the new text,
/// even after a crash. On cancellation, it is done all the same.
async fn replace(path: PathBuf, text: String) -> io::Result<()> {
    let write = move || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    spawn_blocking(write).await.map_err(io::Error::other)?
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
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_reader_sees_half_of_it() -> io::Result<()> {
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
    async fn dropped_it_is_done_all_the_same() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.json");
        let mut replaced =
            Box::pin(replace(path.clone(), "[7]".to_owned()));
        assert!(futures::poll!(replaced.as_mut()).is_pending());
        drop(replaced);
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        assert_eq!(std::fs::read_to_string(path)?, "[7]");
        Ok(())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_its_owner_may_read_it() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.json");
        std::fs::write(&path, "[]")?;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open)?;
        replace(path.clone(), "[7]".to_owned()).await?;
        let mode = std::fs::metadata(path)?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }

    #[tokio::test]
    async fn without_a_folder_it_is_an_error() {
        let path = PathBuf::from("no/such/folder/orders.json");
        assert!(replace(path, String::new()).await.is_err());
    }
}
