//! Run a command with a time limit, and keep its output, whatever it leaves behind.

// ANCHOR: ran
use std::{io, process::ExitStatus, process::Stdio, time::Duration};

use nix::{sys::signal, unistd::Pid};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Ran {
    /// `None` if the command was killed at the limit.
    status: Option<ExitStatus>,
    stdout: Kept,
    stderr: Kept,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Its pipe was read to the end, and nothing was discarded.
    is_whole: bool,
}
// ANCHOR_END: ran

// ANCHOR: run
/// Runs a command without input. After `limit`, or if this is dropped,
/// it's killed with all that it has started, except for what has left
/// its process group. If it exits in time, processes that it leaves in
/// the background keep running, even if they hold its pipes.
async fn run(
    command: &mut Command,
    limit: Duration,
) -> io::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut group = Group(child.id());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut ran, exited) = (Ran::default(), CancellationToken::new());
    let wait = async {
        ran.status = Some(child.wait().await?);
        group.0 = None; // From now on, its ID may be reused.
        exited.cancel();
        Ok(())
    };
    let out = ran.stdout.read(out, &exited);
    let err = ran.stderr.read(err, &exited);
    let all = async { tokio::try_join!(wait, out, err) };
    let ended = timeout(limit, all).await;
    if ran.status.is_none() {
        drop(group);
        timeout(REST, child.wait()).await??;
    }
    if let Ok(Err(error)) = ended {
        return Err(error);
    }
    Ok(ran)
}
// ANCHOR_END: run

// ANCHOR: kept
impl Kept {
    /// Reads to the end, or until `REST` after the exit. Keeps the first
    /// `MOST` bytes, and discards the rest, so that the pipe isn't full.
    async fn read(
        &mut self,
        pipe: Option<impl AsyncRead + Unpin>,
        exited: &CancellationToken,
    ) -> io::Result<()> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        let mut buffer = vec![0; 8192];
        let rest = async {
            exited.cancelled().await;
            sleep(REST).await;
        };
        let (mut rest, mut total) = (std::pin::pin!(rest), 0);
        loop {
            let count = tokio::select! {
                biased; // A pipe that's always full mustn't win.
                () = &mut rest => return Ok(()),
                count = pipe.read(&mut buffer) => count?,
            };
            if count == 0 {
                self.is_whole = total == self.bytes.len();
                return Ok(());
            }
            total += count;
            let room = (MOST - self.bytes.len()).min(count);
            self.bytes.extend_from_slice(&buffer[..room]);
        }
    }
}
// ANCHOR_END: kept

// ANCHOR: group
/// Kills the process group when it's dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(Ok(leader)) = self.0.map(i32::try_from) {
            // An error means that no process of the group is left.
            let leader = Pid::from_raw(leader);
            signal::killpg(leader, signal::Signal::SIGKILL).ok();
        }
    }
}

const MOST: usize = 1024 * 1024;

/// For output that was written before the exit, and for the kill.
const REST: Duration = Duration::from_millis(500);
// ANCHOR_END: group

fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for command in [
        "echo invoice 7; echo no paper >&2; exit 3",
        "echo invoice 8; sleep 1000",
        "sleep 5 & echo the printer daemon runs",
    ] {
        let limit = Duration::from_secs(3);
        let ran = run(&mut shell(command), limit).await?;
        let end = ran.status.map(|it| it.to_string());
        let end = end.as_deref().unwrap_or("killed");
        let text = String::from_utf8_lossy(&ran.stdout.bytes);
        println!("{end}: {text:?}, whole: {}", ran.stdout.is_whole);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hazards::at_every_poll;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(300);
    const MINUTE: Duration = Duration::from_secs(60);

    /// Runs a command, and says how it ended and what it printed.
    async fn ended(command: &str, limit: Duration) -> (String, String) {
        let start = Instant::now();
        let ran = run(&mut shell(command), limit).await;
        let ran = ran.expect("a shell");
        assert!(start.elapsed() < Duration::from_secs(20), "{command}");
        let code = ran.status.and_then(|it| it.code());
        let code =
            code.map_or("killed".to_owned(), |it| it.to_string());
        let out = [ran.stdout.bytes, ran.stderr.bytes].concat();
        (code, String::from_utf8_lossy(&out).into_owned())
    }

    fn pair(code: &str, text: &str) -> (String, String) {
        (code.to_owned(), text.to_owned())
    }

    #[tokio::test]
    async fn failure_is_in_the_status() {
        let fails = "echo 7; echo no paper >&2; exit 3";
        let expected = pair("3", "7\nno paper\n");
        assert_eq!(ended(fails, MINUTE).await, expected);
        let mut missing = Command::new("/no/such/command");
        assert!(run(&mut missing, MINUTE).await.is_err());
    }

    #[tokio::test]
    async fn silence_is_killed_and_the_output_kept() {
        let silent = "echo 7; sleep 1000";
        assert_eq!(ended(silent, MOMENT).await, pair("killed", "7\n"));
        let closes = "exec >&- 2>&-; sleep 1000";
        assert_eq!(ended(closes, MOMENT).await, pair("killed", ""));
        let stubborn =
            "trap '' TERM INT HUP; while :; do sleep 1; done";
        assert_eq!(ended(stubborn, MOMENT).await, pair("killed", ""));
    }

    /// What a command leaves in the background holds the pipes.
    #[tokio::test]
    async fn silence_of_a_background_process_is_not_awaited() {
        for background in ["sleep 30", "yes >&2", "yes"] {
            let command = format!(
                "({background}) & echo $! >&2; echo done; exit 4"
            );
            let (code, _) = ended(&command, MINUTE).await;
            assert_eq!(code, "4");
        }
    }

    #[tokio::test]
    async fn overload_of_output_is_bounded() -> io::Result<()> {
        let ran = run(&mut shell("yes 7"), MOMENT).await?;
        assert!(ran.status.is_none());
        assert_eq!(ran.stdout.bytes.len(), MOST);
        assert!(!ran.stdout.is_whole);
        let much = format!("yes | head -c {} >&2", MOST + 1);
        let ran = run(&mut shell(&much), MINUTE).await?;
        assert!(ran.status.is_some_and(|it| it.success()));
        assert_eq!(ran.stderr.bytes.len(), MOST);
        assert!(ran.stdout.is_whole && !ran.stderr.is_whole);
        let all = format!("yes | head -c {MOST}");
        let ran = run(&mut shell(&all), MINUTE).await?;
        assert!(ran.stdout.is_whole);
        Ok(())
    }

    /// The command succeeds, and a process that it leaves writes more.
    #[tokio::test]
    async fn slow_output_after_the_exit_is_not_whole() -> io::Result<()>
    {
        for limit in [MOMENT, MINUTE] {
            let late = "echo 7; (sleep 2; echo 8) & exit 0";
            let ran = run(&mut shell(late), limit).await?;
            assert!(ran.status.is_some_and(|it| it.success()));
            assert_eq!(ran.stdout.bytes, b"7\n");
            assert!(!ran.stdout.is_whole);
        }
        Ok(())
    }

    #[tokio::test]
    async fn slow_output_arrives_whole() {
        let slow = "for i in 1 2 3; do sleep 0.1; echo $i; done";
        assert_eq!(ended(slow, MINUTE).await, pair("0", "1\n2\n3\n"));
    }

    /// Neither a cancellation nor the limit leaves a grandchild.
    #[tokio::test]
    async fn cancel_kills_what_the_command_has_started()
    -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        at_every_poll(async |cancel| {
            let late = folder.path().join(cancel.polls().to_string());
            let late = late.display();
            let command =
                format!("(sleep 3; echo late > {late}) & sleep 1000");
            cancel.run(run(&mut shell(&command), MOMENT)).await;
        })
        .await;
        sleep(Duration::from_secs(4)).await;
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    /// At the limit, the leader has been waited for: it's no zombie.
    #[tokio::test]
    async fn owner_gone_leaves_no_zombie() -> io::Result<()> {
        for _ in 0..10 {
            let mut shell = shell("echo $$; sleep 1000");
            let ran = run(&mut shell, MOMENT).await?;
            let leader = String::from_utf8_lossy(&ran.stdout.bytes);
            let leader: i32 = leader.trim().parse().expect("an ID");
            assert!(signal::kill(Pid::from_raw(leader), None).is_err());
        }
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_output_and_input() {
        assert_eq!(ended("true", MINUTE).await, pair("0", ""));
        assert_eq!(ended("cat", MINUTE).await, pair("0", ""));
        assert_eq!(ended("true", Duration::ZERO).await.1, "");
        assert_eq!(ended("echo Jörg", MINUTE).await.1, "Jörg\n");
        let killed = ended("kill -9 $$", MINUTE).await;
        assert_eq!(killed.0, "killed"); // By itself: it has no code.
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_run_many_commands() {
        let all = (0..20).map(|number| async move {
            ended(&format!("exit {number}"), MINUTE).await.0
        });
        let all = futures::future::join_all(all).await;
        let expected: Vec<_> =
            (0..20).map(|it| it.to_string()).collect();
        assert_eq!(all, expected);
    }
}
