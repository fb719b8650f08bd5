//! Wrong: the future is dropped, and its child process keeps running.

use std::{
    io::{self, Read, Write, pipe},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::timeout;

// ANCHOR: wrong
use tokio::process::Command;

/// Wrong: dropping a `Child` does nothing to the process.
async fn run(mut job: Command) -> io::Result<ExitStatus> {
    job.spawn()?.wait().await
}
// ANCHOR_END: wrong

/// Gives up waiting for a job that waits for a line. Then sends it
/// the line, and returns its answer.
async fn give_up_and_ask() -> io::Result<String> {
    let (input, mut to_job) = pipe()?;
    let (mut from_job, output) = pipe()?;
    let mut job = Command::new("sh");
    job.args(["-c", "read line && echo still here"]);
    job.stdin(input).stdout(output);
    let limit = Duration::from_millis(50);
    match timeout(limit, run(job)).await {
        Ok(ended) => println!("it has ended: {:?}", ended?),
        Err(_) => println!("the caller gave up"),
    }
    let mut answer = String::new();
    // Where nobody reads it, that is an error here.
    to_job.write_all(b"go\n").ok();
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
    async fn cancel_and_the_child() -> io::Result<()> {
        assert_eq!(give_up_and_ask().await?, "still here\n");
        Ok(())
    }
}
