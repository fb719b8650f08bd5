//! The child process is killed when its future is dropped.

use std::{
    io::{self, Read, Write, pipe},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::timeout;

// ANCHOR: run
use tokio::process::Command;

/// On cancellation, the process is killed, but not the processes that
/// it has started itself.
async fn run(mut job: Command) -> io::Result<ExitStatus> {
    job.kill_on_drop(true).spawn()?.wait().await
}
// ANCHOR_END: run

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
    // An error says that nobody is there to read it.
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
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn cancel_and_the_child() -> io::Result<()> {
        assert_eq!(give_up_and_ask().await?, "");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_anywhere_it_is_dead() {
        at_every_poll(async |cancel| {
            let (input, to_job) = pipe().expect("there is one");
            let (mut from_job, output) = pipe().expect("there is one");
            let mut job = Command::new("cat");
            job.stdin(input).stdout(output);
            let limit = Duration::from_millis(50);
            let run = async { timeout(limit, run(job)).await.is_err() };
            cancel.run(run).await;
            let mut printed = Vec::new();
            // Waits for the end of all that could write.
            let read = move || from_job.read_to_end(&mut printed);
            let read = tokio::task::spawn_blocking(read);
            let minute = Duration::from_secs(60);
            assert!(timeout(minute, read).await.is_ok());
            drop(to_job);
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_and_the_child_is_dead() -> io::Result<()> {
        let (mut from_job, output) = pipe()?;
        let (input, _to_job) = pipe()?;
        let mut job = Command::new("cat");
        job.stdin(input).stdout(output);
        let task = tokio::spawn(run(job));
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.is_err());
        let mut printed = Vec::new();
        assert_eq!(from_job.read_to_end(&mut printed)?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_the_status() -> io::Result<()> {
        let mut fails = Command::new("sh");
        fails.args(["-c", "exit 3"]);
        assert_eq!(run(fails).await?.code(), Some(3));
        assert!(run(Command::new("no-such-program")).await.is_err());
        Ok(())
    }
}
