//! Runs a command: what goes in, what comes out, and for how long.

// ANCHOR: run
use std::{io, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// Gives the command its input, and returns what it prints. On
/// cancellation, and when its time is over, it is killed.
async fn run(
    command: &str,
    input: &[u8],
    limit: Duration,
) -> io::Result<String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let mut stdin = stdin.ok_or(io::ErrorKind::BrokenPipe)?;
    // Dropped at its end, and so the child sees the end of its input.
    let feed = async move { stdin.write_all(input).await };
    // Both at once: neither side waits for a pipe that is full.
    let run = async { tokio::join!(feed, child.wait_with_output()) };
    let (fed, output) = timeout(limit, run).await?;
    let output = output?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = format!("{}: {message}", output.status);
        return Err(io::Error::other(message.trim_end()));
    }
    fed?;
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
// ANCHOR_END: run

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    print!("{}", run("sort", b"order 8\norder 7\n", MINUTE).await?);
    let fails = "echo no paper >&2; exit 3";
    match run(fails, b"", MINUTE).await {
        Ok(_) => println!("printed"),
        Err(error) => println!("{error}"),
    }
    let limit = Duration::from_millis(100);
    match run("exec sleep 1000", b"", limit).await {
        Ok(_) => println!("printed"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn much_goes_in_and_comes_out() -> io::Result<()> {
        let input = "order 7\n".repeat(100_000);
        let output = run("cat", input.as_bytes(), MINUTE).await?;
        assert!(output == input);
        Ok(())
    }

    #[tokio::test]
    async fn errors_are_told() {
        let fails = "echo no paper >&2; exit 3";
        let error = run(fails, b"", MINUTE).await.expect_err("fails");
        assert_eq!(error.to_string(), "exit status: 3: no paper");
        let limit = Duration::from_millis(50);
        let error = run("exec sleep 1000", b"", limit).await;
        let error = error.expect_err("it takes long");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn not_all_of_the_input_was_read() {
        let input = vec![b' '; 1_000_000];
        let output = run("exec true <&-", &input, MINUTE).await;
        let error = output.expect_err("not all of it was read");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
