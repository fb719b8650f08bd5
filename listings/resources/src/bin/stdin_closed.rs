//! The input of the child is dropped, and that is its end.

use std::{io, process::Stdio, time::Duration};

use tokio::time::timeout;

// ANCHOR: sort
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

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

    #[tokio::test]
    async fn it_is_sorted() -> io::Result<()> {
        let sorted = sort("order 8\norder 7\n").await?;
        assert_eq!(sorted, "order 7\norder 8\n");
        Ok(())
    }
}
