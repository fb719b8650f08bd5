//! Read a child's output line by line, as the child prints it.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

// ANCHOR: follow
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
    time::timeout,
};

/// Passes on each line when it's printed, and returns the status.
///
/// A child that prints no line for `patience` is killed, with all
/// processes of its group. The same happens on an error, on
/// cancellation, and if `on_line` panics. A background process that
/// keeps stdout open makes even a finished child time out.
async fn follow(
    mut job: Command,
    patience: Duration,
    mut on_line: impl FnMut(&str),
) -> io::Result<ExitStatus> {
    let mut group = spawn_group(job.stdout(Stdio::piped()))?;
    let stdout = group.child.stdout.take();
    let stdout = stdout.ok_or(io::ErrorKind::BrokenPipe)?;
    let (mut stdout, mut line) = (BufReader::new(stdout), Vec::new());
    loop {
        // `lines` would fail on a line that isn't UTF-8, and has no
        // limit. Here, a longer line arrives in pieces.
        let mut piece = (&mut stdout).take(64 * 1024);
        let read = piece.read_until(b'\n', &mut line);
        if timeout(patience, read).await?? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        on_line(text.trim_end_matches('\n'));
        line.clear();
    }
    // The output has ended, so wait for the exit now.
    timeout(patience, group.child.wait()).await?
}
// ANCHOR_END: follow

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

fn convert() -> Command {
    let mut job = Command::new("sh");
    job.args(["-c", "echo page 1; echo page 2; exit 3"]);
    job.stdin(Stdio::null());
    job
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let minute = Duration::from_secs(60);
    let print = |line: &str| println!("{line}");
    println!("{}", follow(convert(), minute, print).await?);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MOMENT: Duration = Duration::from_millis(100);

    fn sh(command: &str) -> Command {
        let mut job = Command::new("sh");
        job.args(["-c", command]).stdin(Stdio::null());
        job
    }

    async fn lines(command: &str) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let push = |line: &str| lines.push(line.to_owned());
        follow(sh(command), MINUTE, push).await?;
        Ok(lines)
    }

    #[tokio::test]
    async fn failure_is_the_status() -> io::Result<()> {
        let mut lines = Vec::new();
        let push = |line: &str| lines.push(line.to_owned());
        let status = follow(convert(), MINUTE, push).await?;
        assert_eq!(status.code(), Some(3));
        assert_eq!(lines, ["page 1", "page 2"]);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_output_does_not_stop_it() -> io::Result<()> {
        let lines = lines("yes order | head -n 100000").await?;
        assert_eq!(lines.len(), 100_000);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_with_an_error() {
        for silent in [
            "echo page 1; sleep 1000",
            "exec >&-; sleep 1000",
            // A process in the background keeps the pipe open.
            "sleep 1000 & echo page 1",
        ] {
            let ended = follow(sh(silent), MOMENT, |_| {}).await;
            let error = ended.expect_err("it falls silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn slow_lines_arrive_one_by_one() -> io::Result<()> {
        let slow = "for i in 1 2 3; do echo $i; sleep 0.05; done";
        assert_eq!(lines(slow).await?, ["1", "2", "3"]);
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_lines() -> io::Result<()> {
        assert!(lines("true").await?.is_empty());
        assert_eq!(lines("printf 'a\\n\\nb'").await?, ["a", "", "b"]);
        assert_eq!(lines("echo Jörg").await?, ["Jörg"]);
        let long = lines("head -c 200000 /dev/zero; echo").await?;
        assert_eq!(
            long.iter().map(String::len).sum::<usize>(),
            200_000
        );
        assert_eq!(long.len(), 4);
        let latin_1 = lines("printf 'J\\366rg\\nb\\n'").await?;
        assert_eq!(latin_1, ["J\u{fffd}rg", "b"]);
        Ok(())
    }

    /// Dropped or panicking, it kills the child: the pipe is closed.
    #[tokio::test]
    async fn cancel_and_panic_kill_the_child() -> io::Result<()> {
        use std::io::Read;

        for panics in [false, true] {
            let (mut reader, writer) = std::io::pipe()?;
            let mut job = Command::new("sh");
            job.args(["-c", "echo page 1; sleep 1000"]);
            job.stdin(Stdio::null()).stderr(writer);
            let task = tokio::spawn(async move {
                let on_line = |_: &str| assert!(!panics, "page 1");
                follow(job, MINUTE, on_line).await.map(drop)
            });
            if !panics {
                tokio::time::sleep(MOMENT).await;
                task.abort();
            }
            let error =
                task.await.expect_err("it panics or is aborted");
            assert_eq!(error.is_panic(), panics);
            let read = move || reader.read(&mut [0]);
            let read = tokio::task::spawn_blocking(read);
            assert!(timeout(MINUTE, read).await.is_ok());
        }
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_the_caller_is_reported() {
        let task = tokio::spawn(async {
            follow(convert(), MINUTE, |line| panic!("{line}")).await
        });
        let error = task.await.expect_err("it panics").to_string();
        assert!(error.contains("page 1"), "{error}");
    }
}
