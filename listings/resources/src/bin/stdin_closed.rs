//! Dropping the child's stdin is the end of its input.

use std::{io, process::Stdio, time::Duration};

use tokio::time::timeout;

// ANCHOR: sort
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

/// For a child that reads all of its input before it prints. For any
/// other, write and read concurrently. On cancellation, it's killed.
async fn sort(text: &str) -> io::Result<String> {
    let mut child = Command::new("sort")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut stdin, mut stdout) =
        pipes.ok_or(io::ErrorKind::BrokenPipe)?;
    stdin.write_all(text.as_bytes()).await?;
    drop(stdin);
    let mut sorted = String::new();
    stdout.read_to_string(&mut sorted).await?;
    let status = child.wait().await?;
    if !status.success() {
        return Err(io::Error::other(status.to_string()));
    }
    Ok(sorted)
}
// ANCHOR_END: sort

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let limit = Duration::from_secs(60);
    match timeout(limit, sort("order 8\norder 7\n")).await {
        Ok(sorted) => print!("{}", sorted?),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn silence_until_the_end_of_the_input() -> io::Result<()> {
        let sorted = timeout(MINUTE, sort("order 8\norder 7\n"));
        assert_eq!(sorted.await??, "order 7\norder 8\n");
        Ok(())
    }

    #[tokio::test]
    async fn overload_more_than_a_pipe_holds() -> io::Result<()> {
        let text = "order 7\n".repeat(100_000);
        assert!(timeout(MINUTE, sort(&text)).await?? == text);
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_input() -> io::Result<()> {
        assert_eq!(timeout(MINUTE, sort("")).await??, "");
        assert_eq!(timeout(MINUTE, sort("ö")).await??, "ö\n");
        Ok(())
    }
}
