//! Wrong: the program waits for a child without reading its output.

use std::{io, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, time::timeout};

// ANCHOR: wrong
use tokio::process::{Child, Command};

fn export() -> io::Result<Child> {
    Command::new("head")
        .args(["-c", "200000", "/dev/zero"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Wrong: a pipe is full after a while, and then the child waits, too.
async fn run(mut child: Child) -> io::Result<usize> {
    child.wait().await?;
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output).await?;
    }
    Ok(output.len())
}
// ANCHOR_END: wrong

async fn export_in_time() -> io::Result<usize> {
    timeout(Duration::from_millis(500), run(export()?)).await?
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match export_in_time().await {
        Ok(bytes) => println!("{bytes} bytes"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_more_than_a_pipe_holds() {
        let error = export_in_time().await.expect_err("it hangs");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
