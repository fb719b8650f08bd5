//! Fails: input_and_output_are_large, an_unread_input_is_no_error, too_much_output_ends_the_command, a_limit_kills_all, a_process_left_behind_holds_nobody, a_canceled_run_kills_all
//! It writes, then reads, then waits, and kills only the command itself.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

pub async fn run(
    mut command: Command,
    input: Vec<u8>,
    limit: Duration,
    most: usize,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let work = async {
        stdin.write_all(&input).await?;
        drop(stdin);
        let mut output = Vec::new();
        (&mut stdout)
            .take(most as u64 + 1)
            .read_to_end(&mut output)
            .await?;
        let status = child.wait().await?;
        match output.len() <= most {
            true => Ok((status, output)),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    };
    match timeout(limit, work).await {
        Ok(ended) => ended,
        Err(late) => {
            child.kill().await?;
            Err(late.into())
        }
    }
}
