//! A child process is told to stop, with and without a handler.

#[cfg(unix)]
// ANCHOR: serve
use std::io;

#[cfg(unix)]
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Duration, sleep},
};
#[cfg(unix)]
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(unix)]
/// What the child runs: a service that listens to SIGTERM and SIGINT.
async fn serve() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(send_receipts(stop.clone()));
    println!("ready");
    tokio::select! {
        _ = interrupt.recv() => println!("told by SIGINT"),
        _ = terminate.recv() => println!("told by SIGTERM"),
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    println!("ended");
    Ok(())
}

#[cfg(unix)]
async fn send_receipts(stop: CancellationToken) {
    stop.cancelled().await;
    // The last one is finished.
    sleep(Duration::from_millis(50)).await;
    println!("the last receipt is sent");
}
// ANCHOR_END: serve

#[cfg(unix)]
// ANCHOR: tell
use std::process::Stdio;

#[cfg(unix)]
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

#[cfg(unix)]
/// Starts a child, tells it to stop when it is ready, and returns what
/// it printed after that, and how it ended.
async fn tell(role: &str, signal: &str) -> io::Result<String> {
    let mut child = child(role)?;
    let output =
        child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(output).lines();
    while lines.next_line().await?.is_some_and(|it| it != "ready") {}
    let id = child.id().ok_or(io::ErrorKind::NotFound)?;
    kill(id, signal).await?;
    let mut told = String::new();
    while let Some(line) = lines.next_line().await? {
        told += &format!("{line}; ");
    }
    Ok(told + &child.wait().await?.to_string())
}
// ANCHOR_END: tell

#[cfg(unix)]
/// This program again, as a child.
fn child(role: &str) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(AS_CHILD)
        .env("ROLE", role)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

#[cfg(unix)]
/// As a test, the child is one of the tests.
const AS_CHILD: &[&str] = if cfg!(test) {
    &["tests::child", "--exact", "--nocapture"]
} else {
    &[]
};

#[cfg(unix)]
/// What the child does, by its role.
async fn as_child(role: &str) -> io::Result<()> {
    match role {
        "handler" => serve().await,
        _ => {
            println!("ready");
            std::future::pending().await
        }
    }
}

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
    if let Ok(role) = std::env::var("ROLE") {
        return as_child(&role).await;
    }
    for signal in ["TERM", "INT"] {
        println!("with a handler: {}", tell("handler", signal).await?);
    }
    println!("without:        {}", tell("none", "TERM").await?);
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
        if let Ok(role) = std::env::var("ROLE") {
            as_child(&role).await?;
            std::process::exit(0);
        }
        Ok(())
    }

    #[tokio::test]
    async fn with_a_handler_it_ends_in_order() -> io::Result<()> {
        let told = tell("handler", "TERM").await?;
        let rest = "the last receipt is sent; ended; exit status: 0";
        assert_eq!(told, format!("told by SIGTERM; {rest}"));
        let told = tell("handler", "INT").await?;
        assert_eq!(told, format!("told by SIGINT; {rest}"));
        Ok(())
    }

    #[tokio::test]
    async fn without_one_it_is_killed() -> io::Result<()> {
        let told = tell("none", "TERM").await?;
        assert_eq!(told, "signal: 15 (SIGTERM)");
        Ok(())
    }
}
