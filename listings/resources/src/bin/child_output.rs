//! Run a command with input, a bounded output, and a time limit.

// ANCHOR: run
use std::{io, process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// Writes the input, and returns the output. Above 10 MB, it fails.
///
/// On a timeout or a cancellation, the command is killed, together with
/// the processes that are still in its group. A background process that
/// keeps the pipes open makes even a finished command time out.
async fn run(
    command: &str,
    input: &[u8],
    limit: Duration,
) -> io::Result<String> {
    let mut sh = Command::new("sh");
    sh.args(["-c", command]).stdin(Stdio::piped());
    sh.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = spawn_group(&mut sh)?;
    let child = &mut group.child;
    let (stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        // At the same time, so that no pipe stays full.
        let ((), output, errors) = tokio::try_join!(
            feed(stdin, input),
            read(stdout),
            read(stderr),
        )?;
        // Not earlier: `wait` frees the ID that the kill would need.
        io::Result::Ok((output, errors, child.wait().await?))
    };
    let (output, errors, status) = timeout(limit, work).await??;
    if !status.success() {
        let text = String::from_utf8_lossy(&errors);
        let text = format!("{status}: {}", text.trim_end());
        return Err(io::Error::other(text));
    }
    String::from_utf8(output).map_err(io::Error::other)
}
// ANCHOR_END: run

// ANCHOR: pipes
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::ChildStdin,
};

/// Writes the input, and closes the pipe to end it. A child that doesn't
/// read all of its input, such as `head`, closes the pipe first. If that
/// was a mistake, its exit status says so.
async fn feed(
    stdin: Option<ChildStdin>,
    input: &[u8],
) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match stdin.write_all(input).await {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

const MOST: u64 = 10 * 1024 * 1024;

/// Reads to the end, but at most `MOST` bytes.
async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MOST + 1).read_to_end(&mut output).await?;
    }
    match output.len() as u64 <= MOST {
        true => Ok(output),
        false => Err(io::Error::other("it prints too much")),
    }
}
// ANCHOR_END: pipes

// ANCHOR: group
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
// ANCHOR_END: group

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    print!("{}", run("sort", b"order 8\norder 7\n", MINUTE).await?);
    let fails = "echo no paper >&2; exit 3";
    match run(fails, b"", MINUTE).await {
        Ok(_) => println!("printed"),
        Err(error) => println!("{error}"),
    }
    let limit = Duration::from_millis(100);
    match run("sleep 1000; echo printed", b"", limit).await {
        Ok(_) => println!("printed"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn overload_much_goes_in_and_comes_out() -> io::Result<()> {
        let input = "order 7\n".repeat(100_000);
        let output = run("cat", input.as_bytes(), MINUTE).await?;
        assert!(output == input);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_output_is_bounded() {
        let error = run("yes order", b"", MINUTE).await;
        let error = error.expect_err("it never ends");
        assert_eq!(error.to_string(), "it prints too much");
    }

    #[tokio::test]
    async fn failure_says_why() {
        let fails = "echo no paper >&2; exit 3";
        let error = run(fails, b"", MINUTE).await.expect_err("fails");
        assert_eq!(error.to_string(), "exit status: 3: no paper");
        let fails = "exec <&-; exit 3";
        let input = vec![b' '; 1_000_000];
        let error = run(fails, &input, MINUTE).await;
        let error = error.expect_err("it fails");
        assert_eq!(error.to_string(), "exit status: 3: ");
    }

    #[tokio::test]
    async fn silence_ends_with_the_limit() {
        for silent in [
            "sleep 1000",
            "exec sleep 1000",
            // A process in the background keeps both pipes open, or one.
            "sleep 1000 & echo done",
            "sleep 1000 >/dev/null & echo done",
        ] {
            let error = run(silent, b"", MOMENT).await;
            let error = error.expect_err("it takes long");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn slow_child_that_leaves_a_pipe_full() {
        let input = vec![b' '; 1_000_000];
        let slow = "sleep 0.1; cat | wc -c; sleep 0.1";
        let output = run(slow, &input, MINUTE).await;
        let output = output.expect("it reads all");
        assert_eq!(output.trim(), "1000000");
    }

    #[tokio::test]
    async fn silence_of_a_background_process_without_the_pipes()
    -> io::Result<()> {
        let command = "sleep 5 >/dev/null 2>&1 & echo done";
        let start = std::time::Instant::now();
        assert_eq!(run(command, b"", MINUTE).await?, "done\n");
        assert!(start.elapsed() < Duration::from_secs(4));
        Ok(())
    }

    /// Neither a cancellation nor the limit leaves a grandchild.
    #[tokio::test]
    async fn cancel_kills_what_the_command_has_started()
    -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        at_every_poll(async |cancel| {
            let late = folder.path().join(cancel.polls().to_string());
            let command = format!(
                "(sleep 3; echo late > {}) & sleep 1000",
                late.display()
            );
            cancel.run(run(&command, b"", MOMENT)).await;
        })
        .await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    /// The leader has ended, and what it has started holds the pipes.
    #[tokio::test]
    async fn owner_gone_and_the_group_is_killed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let late = folder.path().join("late");
        let command =
            format!("(sleep 3; echo late > {}) &", late.display());
        assert!(run(&command, b"", MOMENT).await.is_err());
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(!late.exists());
        Ok(())
    }

    /// Until the limit, the system can't reuse the process's ID.
    #[tokio::test]
    async fn owner_gone_and_the_id_is_still_the_groups()
    -> io::Result<()> {
        use nix::{sys::signal, unistd::Pid};

        let folder = tempfile::tempdir()?;
        let file = folder.path().join("id");
        // The leader exits, and `sleep` keeps the pipes open.
        let command =
            format!("echo $$ > {}; sleep 5 &", file.display());
        let limit = Duration::from_millis(1_000);
        let look = async {
            tokio::time::sleep(limit / 2).await;
            let id = std::fs::read_to_string(&file)?;
            let id = id.trim().parse().map_err(io::Error::other)?;
            signal::kill(Pid::from_raw(id), None)
                .map_err(io::Error::from)
        };
        let (ran, looked) =
            tokio::join!(run(&command, b"", limit), look);
        looked?;
        assert!(ran.is_err());
        Ok(())
    }

    /// A daemon leaves the group: it outlives the limit.
    #[tokio::test]
    async fn edges_a_process_that_leaves_the_group_survives()
    -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let late = folder.path().join("late");
        let daemon = format!("sleep 1; echo late > {}", late.display());
        let command = format!("setsid sh -c '{daemon}' & sleep 1000");
        let limit = Duration::from_millis(500);
        assert!(run(&command, b"", limit).await.is_err());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(late.exists());
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_input_and_output() -> io::Result<()> {
        assert_eq!(run("true", b"", MINUTE).await?, "");
        assert_eq!(
            run("cat", "Jörg".as_bytes(), MINUTE).await?,
            "Jörg"
        );
        assert!(run("printf '\\377'", b"", MINUTE).await.is_err());
        let error = run("exit 1", b"", Duration::ZERO).await;
        assert!(error.is_err());
        Ok(())
    }

    /// `head` reads a part of its input, and all is well.
    #[tokio::test]
    async fn edges_not_all_of_the_input_is_read() -> io::Result<()> {
        for lines in [100, 100_000] {
            let input = "order 7\n".repeat(lines);
            let head = run("head -n 1", input.as_bytes(), MINUTE);
            assert_eq!(head.await?, "order 7\n");
        }
        Ok(())
    }
}
