//! Fails: a_full_disk_leaves_no_torn_line
//! What a failed write has already written stays in front of the next line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

pub struct Log {
    file: Arc<Mutex<File>>,
}

impl Log {
    pub async fn open(path: &Path) -> io::Result<Log> {
        let path = path.to_owned();
        let file = spawn_blocking(move || open(&path)).await??;
        Ok(Log {
            file: Arc::new(Mutex::new(file)),
        })
    }

    pub async fn append(&self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let mut file = self.file.clone().lock_owned().await;
        spawn_blocking(move || {
            file.write_all(line.as_bytes())?;
            file.sync_data()
        })
        .await?
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let mut file = options.read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|it| *it == b'\n');
    file.set_len(whole.map_or(0, |last| last as u64 + 1))?;
    file.sync_all()?;
    Ok(file)
}
