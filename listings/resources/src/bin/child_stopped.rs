//! Stop a child: ask it, give it time, kill it, and wait for its exit.

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

/// Closes the child's input, which asks it to exit, and kills it after
/// the grace period. Waits for its exit either way, so that no zombie
/// is left. On cancellation, a child with `kill_on_drop` is killed.
/// Keep reading piped output: a child whose pipe is full can't exit.
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
    let cat = start("exec cat")?;
    let sleep = start("exec sleep 1000")?;
    let minute = Duration::from_secs(60);
    let moment = Duration::from_millis(100);
    println!(
        "cat, which reads its input: {}",
        stop(cat, minute).await?
    );
    println!("sleep, which doesn't: {}", stop(sleep, moment).await?);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MOMENT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn stop_by_itself_or_killed() -> io::Result<()> {
        assert!(stop(start("exec cat")?, MINUTE).await?.success());
        let deaf = start("exec sleep 1000")?;
        assert_eq!(stop(deaf, MOMENT).await?.code(), None);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_with_the_grace_period() -> io::Result<()> {
        for _ in 0..5 {
            let deaf = start("exec sleep 1000")?;
            let status = stop(deaf, Duration::ZERO).await?;
            assert!(!status.success());
        }
        Ok(())
    }

    #[tokio::test]
    async fn again_one_that_has_ended_is_waited_for() -> io::Result<()>
    {
        let mut ended = start("exit 3")?;
        let code = ended.wait().await?.code();
        assert_eq!(code, Some(3));
        assert_eq!(stop(ended, MINUTE).await?.code(), code);
        Ok(())
    }

    /// The child prints its last lines, but nobody reads them.
    #[tokio::test]
    async fn slow_reader_of_its_output_costs_the_grace_period()
    -> io::Result<()> {
        for (bytes, exits) in [(1000, true), (1_000_000, false)] {
            let last = format!("cat; head -c {bytes} /dev/zero");
            let child = Command::new("sh")
                .args(["-c", &last])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let grace = if exits { MINUTE } else { 4 * MOMENT };
            assert_eq!(stop(child, grace).await?.success(), exits);
        }
        Ok(())
    }

    /// Its pipe is closed, so it's dead or has exited.
    #[tokio::test]
    async fn cancel_kills_it() {
        use std::io::Read;

        at_every_poll(async |cancel| {
            let (mut reader, writer) =
                std::io::pipe().expect("there is one");
            let child = Command::new("sleep")
                .arg("1000")
                .stdin(Stdio::piped())
                .stdout(writer)
                .kill_on_drop(true)
                .spawn()
                .expect("it starts");
            cancel.run(stop(child, MOMENT)).await;
            let read = move || reader.read(&mut [0]);
            let read = tokio::task::spawn_blocking(read);
            assert!(timeout(MINUTE, read).await.is_ok());
        })
        .await;
    }
}
