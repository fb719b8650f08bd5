//! Wrong: the child reads to the end of its input, which never comes.

use std::{io, process::Stdio, time::Duration};

use tokio::time::timeout;

// ANCHOR: wrong
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

/// Wrong: `stdin` lives as long as this function.
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
    let mut sorted = String::new();
    stdout.read_to_string(&mut sorted).await?;
    child.wait().await?;
    Ok(sorted)
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let limit = Duration::from_millis(500);
    match timeout(limit, sort("order 8\norder 7\n")).await {
        Ok(sorted) => print!("{}", sorted?),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_until_the_end_of_the_input() {
        let limit = Duration::from_millis(500);
        let sorted = timeout(limit, sort("order 7\n")).await;
        assert!(sorted.is_err());
    }
}
