//! Wrong: only the shell is killed, and the process it started keeps running.

use std::{
    io::{self, Read, Write, pipe},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::timeout;

// ANCHOR: wrong
use tokio::process::Command;

/// Wrong: `sh` is killed, but `cat` is a separate process.
fn job() -> Command {
    let mut job = Command::new("sh");
    job.args(["-c", "echo copying; cat; echo copied"]);
    job
}

async fn run(mut job: Command) -> io::Result<ExitStatus> {
    job.kill_on_drop(true).spawn()?.wait().await
}
// ANCHOR_END: wrong

/// Gives up waiting for the job while it copies. Then sends it a line,
/// and returns what comes back.
async fn give_up_and_ask() -> io::Result<String> {
    let (input, mut to_job) = pipe()?;
    let (mut from_job, output) = pipe()?;
    let mut job = job();
    job.stdin(input).stdout(output);
    let running = tokio::spawn(run(job));
    // One line through it: all have begun.
    to_job.write_all(b"line 1\n")?;
    let mut lines = vec![0; b"copying\nline 1\n".len()];
    tokio::task::yield_now().await;
    from_job.read_exact(&mut lines)?;
    running.abort();
    let killed = timeout(Duration::from_secs(60), running).await;
    println!("aborted: {}", killed.is_ok_and(|ended| ended.is_err()));
    // An error says that nobody is there to read it.
    to_job.write_all(b"line 2\n").ok();
    drop(to_job);
    let mut answer = String::new();
    from_job.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    println!("the job says: {:?}", give_up_and_ask().await?);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_and_the_grandchild() -> io::Result<()> {
        assert_eq!(give_up_and_ask().await?, "line 2\n");
        Ok(())
    }
}
