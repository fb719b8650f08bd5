//! Wrong: after the first Ctrl-C, a second one does nothing.

#[cfg(unix)]
// ANCHOR: wrong
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
/// The child process: a service whose cleanup hangs.
async fn serve() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("ready");
    interrupt.recv().await;
    println!("stopping");
    // Wrong: nothing waits for a second Ctrl-C, and creating the stream
    // has removed the default action, which ends the process.
    clean_up().await;
    Ok(())
}
// ANCHOR_END: wrong

#[cfg(unix)]
async fn clean_up() {
    std::future::pending().await
}

#[cfg(unix)]
use std::{process::Stdio, time::Duration};

#[cfg(unix)]
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

#[cfg(unix)]
/// Starts the child, presses Ctrl-C when it is ready, and once more
/// when it is stopping. Returns how it ended, if it did.
async fn press_twice() -> io::Result<Option<String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(AS_CHILD)
        .env("ROLE", "child")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output =
        child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(output).lines();
    let id = child.id().ok_or(io::ErrorKind::NotFound)?;
    for expected in ["ready", "stopping"] {
        let mut line = lines.next_line().await?;
        while line.as_ref().is_some_and(|line| line != expected) {
            line = lines.next_line().await?;
        }
        kill(id, "INT").await?;
    }
    match timeout(PATIENCE, child.wait()).await {
        Ok(status) => Ok(Some(status?.to_string())),
        Err(_) => Ok(None),
    }
}

#[cfg(unix)]
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(unix)]
/// In a test run, the child is one of the tests.
const AS_CHILD: &[&str] = if cfg!(test) {
    &["tests::child", "--exact", "--nocapture"]
} else {
    &[]
};

/// Sends a signal, as a supervisor does.
#[cfg(unix)]
async fn kill(id: u32, signal: &str) -> io::Result<()> {
    let command = format!("kill -s {signal} {id}");
    let sent = Command::new("sh").args(["-c", &command]).status();
    match sent.await?.success() {
        true => Ok(()),
        false => Err(io::Error::other("no signal was sent")),
    }
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> io::Result<()> {
    if std::env::var_os("ROLE").is_some() {
        return serve().await;
    }
    match press_twice().await? {
        Some(status) => println!("after the second: {status}"),
        None => println!("after the second: it still runs"),
    }
    Ok(())
}

/// Signals are what this is about.
#[cfg(not(unix))]
fn main() {
    println!("this program is for Unix");
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Not a test when it runs as one; a child when a test starts it.
    #[tokio::test]
    async fn child() -> io::Result<()> {
        match std::env::var_os("ROLE") {
            Some(_) => serve().await,
            None => Ok(()),
        }
    }

    #[tokio::test]
    async fn stop_second_ctrl_c_ends_it() -> io::Result<()> {
        // It doesn't.
        assert_eq!(press_twice().await?, None);
        Ok(())
    }
}
