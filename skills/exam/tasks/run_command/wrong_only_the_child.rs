//! Fails: a_limit_kills_all, a_canceled_run_kills_all
//! It kills the shell, and what the shell has started keeps running.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// How long what the command wrote before its exit may take to be read.
const REST: Duration = Duration::from_millis(200);

pub async fn run(
    mut command: Command,
    input: Vec<u8>,
    limit: Duration,
    most: usize,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());

    let feed = async {
        let Some(mut stdin) = stdin else {
            return Ok(());
        };
        match stdin.write_all(&input).await {
            // It needn't read its input.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    };
    let mut output = Vec::new();
    let read = async {
        if let Some(stdout) = stdout {
            let mut limited = stdout.take((most as u64).saturating_add(1));
            limited.read_to_end(&mut output).await?;
        }
        match output.len() <= most {
            true => Ok(()),
            false => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        }
    };
    let ended = timeout(limit, async {
        let mut pipes = pin!(async { tokio::try_join!(feed, read) });
        tokio::select! {
            status = child.wait() => {
                // Another process may keep the pipes open.
                if let Ok(ended) = timeout(REST, pipes).await {
                    ended?;
                }
                status
            }
            ended = &mut pipes => {
                ended?;
                child.wait().await
            }
        }
    });
    match ended.await.unwrap_or_else(|late| Err(late.into())) {
        Ok(status) => Ok((status, output)),
        Err(error) => {
            child.kill().await?;
            Err(error)
        }
    }
}
