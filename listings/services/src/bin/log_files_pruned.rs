//! When `max_log_files` deletes old log files, and which ones.

use std::{fs, path::Path};

use tracing_appender::rolling::{RollingFileAppender, Rotation};

// ANCHOR: prune
fn main() -> anyhow::Result<()> {
    let logs = tempfile::tempdir()?;
    let of_other_days = ["08-01", "08-02", "08-03", "08-04"];
    for day in of_other_days {
        let name = format!("shop.2024-{day}.log");
        fs::write(logs.path().join(name), "an order\n")?;
    }
    // From an older release, with another prefix.
    fs::write(logs.path().join("store.2024-07-31.log"), "an order\n")?;
    println!("before: {} files", count(logs.path())?);

    let _log = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("shop")
        .filename_suffix("log")
        .max_log_files(2)
        .build(logs.path())?;
    println!("after:  {} files", count(logs.path())?);
    let other = logs.path().join("store.2024-07-31.log");
    println!("the one with another prefix: {}", other.exists());
    Ok(())
}
// ANCHOR_END: prune

fn count(logs: &Path) -> anyhow::Result<usize> {
    Ok(fs::read_dir(logs)?.count())
}
