//! The second signal ends the program, whatever it is doing.

#[cfg(unix)]
// ANCHOR: serve
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

#[cfg(unix)]
/// What the child runs: a service whose cleanup hangs.
async fn serve() -> io::Result<()> {
    // One stream for each, from the start to the end.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("ready");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("stopping");
    // 128 and the signal's number, as shells tell it.
    let status = tokio::select! {
        biased;
        () = clean_up() => return Ok(()),
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    eprintln!("stopped at once; the cleanup is not done");
    std::process::exit(status)
}
// ANCHOR_END: serve

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
/// Starts the child, sends the first signal when it is ready, and the
/// second one when it is stopping. Returns how it ended, if it did.
async fn tell_twice(signals: [&str; 2]) -> io::Result<Option<String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(AS_CHILD)
        .env("ROLE", "child")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let output =
        child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(output).lines();
    let id = child.id().ok_or(io::ErrorKind::NotFound)?;
    for (expected, signal) in ["ready", "stopping"].iter().zip(signals)
    {
        let mut line = lines.next_line().await?;
        while line.as_ref().is_some_and(|line| line != expected) {
            line = lines.next_line().await?;
        }
        kill(id, signal).await?;
    }
    match timeout(PATIENCE, child.wait()).await {
        Ok(status) => Ok(Some(status?.to_string())),
        Err(_) => Ok(None),
    }
}

#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(unix)]
/// As a test, the child is one of the tests.
const AS_CHILD: &[&str] = if cfg!(test) {
    &["tests::child", "--exact", "--nocapture"]
} else {
    &[]
};

/// As a supervisor does it, and as you do it by hand.
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
    for signals in [["INT", "INT"], ["TERM", "TERM"], ["TERM", "INT"]] {
        let status = tell_twice(signals).await?;
        let status = status.as_deref().unwrap_or("it still runs");
        println!("SIG{}, SIG{}: {status}", signals[0], signals[1]);
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
    async fn it_ends() -> io::Result<()> {
        for (signals, expected) in [
            (["INT", "INT"], "exit status: 130"),
            (["TERM", "TERM"], "exit status: 143"),
            (["TERM", "INT"], "exit status: 130"),
            (["INT", "TERM"], "exit status: 143"),
        ] {
            let status = tell_twice(signals).await?;
            assert_eq!(status.as_deref(), Some(expected));
        }
        Ok(())
    }
}
