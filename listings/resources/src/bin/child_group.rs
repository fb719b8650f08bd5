//! A process group is killed as a whole.

use std::{
    io::{self, Read, Write, pipe},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::timeout;

use tokio::process::Child;

/// A child in a process group of its own. The group is killed when this
/// is dropped, unless the child has been waited for.
struct Group {
    child: Child,
}

fn spawn_group(command: &mut Command) -> io::Result<Group> {
    #[cfg(unix)]
    command.process_group(0);
    let child = command.kill_on_drop(true).spawn()?;
    Ok(Group { child })
}

impl Drop for Group {
    fn drop(&mut self) {
        // `None` after `wait`: another group may have the ID by then.
        if let Some(leader) = self.child.id() {
            kill_group(leader);
        }
    }
}

#[cfg(unix)]
fn kill_group(leader: u32) {
    use nix::{sys::signal, unistd::Pid};

    if let Ok(leader) = leader.try_into() {
        // An error means that no process of the group is left.
        signal::killpg(Pid::from_raw(leader), signal::SIGKILL).ok();
    }
}

/// Windows has job objects for this. Here, only the child is killed.
#[cfg(not(unix))]
fn kill_group(_leader: u32) {}

// ANCHOR: job
use tokio::process::Command;

fn job() -> Command {
    let mut job = Command::new("sh");
    job.args(["-c", "echo copying; cat; echo copied"]);
    job
}

/// On cancellation, the job and all of its process group are killed.
async fn run(mut job: Command) -> io::Result<ExitStatus> {
    let mut group = spawn_group(&mut job)?;
    group.child.wait().await
}
// ANCHOR_END: job

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
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn cancel_and_the_grandchild() -> io::Result<()> {
        assert_eq!(give_up_and_ask().await?, "");
        Ok(())
    }

    /// Every end of the pipe is closed, wherever it's canceled.
    #[tokio::test]
    async fn cancel_closes_all_ends_of_a_pipe() -> io::Result<()> {
        at_every_poll(async |cancel| {
            let (mut from_job, output) = pipe().expect("there is one");
            let (input, _to_job) = pipe().expect("there is one");
            let mut job = job();
            job.stdin(input).stdout(output);
            let limit = Duration::from_millis(50);
            let run = async { timeout(limit, run(job)).await.is_err() };
            cancel.run(run).await;
            // To the end: as long as one of them lives, this waits.
            let mut printed = String::new();
            let read = move || {
                from_job.read_to_string(&mut printed).map(|_| printed)
            };
            let read = tokio::task::spawn_blocking(read);
            let minute = Duration::from_secs(60);
            let printed = timeout(minute, read).await;
            assert!(printed.is_ok_and(|printed| printed.is_ok()));
        })
        .await;
        Ok(())
    }

    /// After `wait`, another group may have the ID.
    #[tokio::test]
    async fn owner_gone_after_the_wait_kills_nothing() -> io::Result<()>
    {
        let (mut from_job, output) = pipe()?;
        let mut job = Command::new("sh");
        job.args(["-c", "(sleep 0.5; echo late) &"]).stdout(output);
        let mut group = spawn_group(&mut job)?;
        drop(job); // It has a copy of the pipe's end.
        assert!(group.child.wait().await?.success());
        drop(group);
        let mut printed = String::new();
        from_job.read_to_string(&mut printed)?;
        assert_eq!(printed, "late\n");
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
