//! One blocking job writes and syncs the whole line, whether its caller still waits or not, and cuts off what a failed write left.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

pub struct Log {
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    file: File,
    /// Where the last whole line ends.
    end: u64,
}

impl Log {
    pub async fn open(path: &Path) -> io::Result<Log> {
        let path = path.to_owned();
        let lines = spawn_blocking(move || Lines::open(&path)).await??;
        Ok(Log {
            lines: Arc::new(Mutex::new(lines)),
        })
    }

    pub async fn append(&self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        // Waits here rather than on a thread, and stays locked until the job ends.
        let mut lines = self.lines.clone().lock_owned().await;
        spawn_blocking(move || lines.append(line.as_bytes())).await?
    }
}

impl Lines {
    fn open(path: &Path) -> io::Result<Lines> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|it| *it == b'\n');
        let end = end.map_or(0, |last| last as u64 + 1);
        file.set_len(end)?;
        file.sync_all()?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        // The name of a new file is part of its folder.
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(Lines { file, end })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.write(line) {
            // If this fails too, the next write repeats it.
            self.file.set_len(self.end).ok();
            return Err(error);
        }
        self.end += line.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}
