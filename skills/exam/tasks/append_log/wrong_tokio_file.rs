//! Fails: a_canceled_append_leaves_no_torn_line, a_full_disk_leaves_no_torn_line
//! `write_all` of `tokio::fs` writes a long line in parts, and `sync_data` keeps the error of a write for the next call.

use std::io;
use std::path::Path;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

pub struct Log {
    file: Mutex<File>,
}

impl Log {
    pub async fn open(path: &Path) -> io::Result<Log> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(path).await?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await?;
        let whole = bytes.iter().rposition(|it| *it == b'\n');
        file.set_len(whole.map_or(0, |last| last as u64 + 1))
            .await?;
        file.sync_all().await?;
        Ok(Log {
            file: Mutex::new(file),
        })
    }

    pub async fn append(&self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let mut file = self.file.lock().await;
        file.write_all(line.as_bytes()).await?;
        file.sync_data().await
    }
}
