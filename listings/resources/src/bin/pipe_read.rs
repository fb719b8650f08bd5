//! Reads what the child prints while waiting for it to exit.

use std::{io, process::Stdio, time::Duration};

use tokio::time::timeout;

// ANCHOR: run
use tokio::process::{Child, Command};

fn export() -> io::Result<Child> {
    Command::new("head")
        .args(["-c", "200000", "/dev/zero"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Holds all of the output in memory. On cancellation, the child is
/// killed.
async fn run(child: Child) -> io::Result<usize> {
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(io::Error::other(output.status.to_string()));
    }
    Ok(output.stdout.len())
}
// ANCHOR_END: run

async fn export_in_time() -> io::Result<usize> {
    timeout(Duration::from_secs(60), run(export()?)).await?
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
    async fn overload_more_than_a_pipe_holds() -> io::Result<()> {
        assert_eq!(export_in_time().await?, 200_000);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_kills_the_child() {
        use std::io::Read;

        hazards::at_every_poll(async |cancel| {
            let (mut reader, writer) =
                std::io::pipe().expect("there is one");
            let child = Command::new("sleep")
                .arg("1000")
                .stdout(Stdio::piped())
                .stderr(writer)
                .kill_on_drop(true)
                .spawn()
                .expect("it starts");
            let moment = Duration::from_millis(50);
            let run =
                async { timeout(moment, run(child)).await.is_err() };
            cancel.run(run).await;
            // It holds the pipe as long as it lives.
            let read = move || reader.read(&mut [0]);
            let read = tokio::task::spawn_blocking(read);
            let minute = Duration::from_secs(60);
            assert!(timeout(minute, read).await.is_ok());
        })
        .await;
    }

    #[tokio::test]
    async fn failure_is_an_error() -> io::Result<()> {
        let child = Command::new("head")
            .arg("no/such/file")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let error = run(child).await.expect_err("no such file");
        assert_eq!(error.to_string(), "exit status: 1");
        Ok(())
    }
}
