//! Stops a child process: asks it, waits a while, kills it, and waits.

// ANCHOR: stop
use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// The end of its input asks it to end. What has not ended in time is
/// killed. Either way it is waited for, so that no zombie is left.
async fn stop(
    mut child: Child,
    grace: Duration,
) -> io::Result<ExitStatus> {
    drop(child.stdin.take());
    if let Ok(ended) = timeout(grace, child.wait()).await {
        return ended;
    }
    child.kill().await?;
    child.wait().await
}
// ANCHOR_END: stop

fn start(command: &str) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listens = start("exec cat")?;
    let deaf = start("exec sleep 1000")?;
    let minute = Duration::from_secs(60);
    let moment = Duration::from_millis(100);
    println!("one that listens: {}", stop(listens, minute).await?);
    println!("one that is deaf: {}", stop(deaf, moment).await?);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_by_itself_or_is_killed() -> io::Result<()> {
        let minute = Duration::from_secs(60);
        assert!(stop(start("exec cat")?, minute).await?.success());
        let moment = Duration::from_millis(50);
        let deaf = start("exec sleep 1000")?;
        assert_eq!(stop(deaf, moment).await?.code(), None);
        Ok(())
    }

    #[tokio::test]
    async fn one_that_has_ended_is_waited_for() -> io::Result<()> {
        let mut ended = start("exit 3")?;
        let code = ended.wait().await?.code();
        assert_eq!(code, Some(3));
        let minute = Duration::from_secs(60);
        assert_eq!(stop(ended, minute).await?.code(), code);
        Ok(())
    }
}
