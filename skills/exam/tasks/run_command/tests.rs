//! Full pipes, output without an end, and processes that outlive the command.

use super::solution::run;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

exam::tests! {
    current input_and_output_are_large,
    current an_unread_input_is_no_error,
    current too_much_output_ends_the_command,
    current a_limit_kills_all,
    current a_process_left_behind_holds_nobody,
    current a_canceled_run_kills_all,
}

const MINUTE: Duration = Duration::from_secs(60);
const MANY: usize = 10_000_000;

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).stderr(Stdio::null());
    command
}

/// What `run` returns within a few seconds.
async fn soon(
    command: Command,
    input: &[u8],
    limit: Duration,
    most: usize,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let running = run(command, input.to_vec(), limit, most);
    let ended = timeout(Duration::from_secs(4), running).await;
    ended.expect("it hangs: `run` hasn't returned after four seconds")
}

/// Whether a process runs: one that has ended, but hasn't been waited for, doesn't.
fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.unwrap_or_default();
    let state = stat.rsplit(") ").next().unwrap_or_default();
    !(state.is_empty() || state.starts_with(['Z', 'X']))
}

async fn end(processes: &[u32]) {
    for _ in 0..150 {
        if !processes.iter().any(|it| runs(*it)) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let left = processes.iter().filter(|it| runs(**it)).count();
    panic!("{left} of the command's two processes are still running");
}

/// A script that starts another process and writes the IDs of both to a file.
fn two_processes() -> (TempDir, PathBuf, Command) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, new) = (folder.path().join("ids"), folder.path().join("new"));
    let (ids, new) = (file.display(), new.display());
    let script = format!("sleep 20 & echo $$ $! > {new}; mv {new} {ids}; wait; echo late");
    let command = sh(&script);
    (folder, file, command)
}

fn ids(file: &Path) -> Option<Vec<u32>> {
    let text = std::fs::read_to_string(file).ok()?;
    let ids = text.split_whitespace();
    Some(ids.map(|it| it.parse().expect("an ID")).collect())
}

async fn input_and_output_are_large() {
    let input = b"order 1\n".repeat(200_000);
    let (status, output) = soon(sh("cat; exit 3"), &input, MINUTE, MANY)
        .await
        .expect("it runs");
    assert_eq!(status.code(), Some(3));
    assert!(output == input, "the output isn't what `cat` copied");
    let exact = soon(sh("cat"), b"12345", MINUTE, 5).await;
    assert_eq!(exact.expect("exactly as much as allowed").1, b"12345");
}

async fn an_unread_input_is_no_error() {
    let input = b"order 1\n".repeat(200_000);
    let first = soon(sh("head -n 1"), &input, MINUTE, MANY).await;
    let (status, output) = first.expect("`head` needn't read all of its input");
    assert!(status.success());
    assert_eq!(output, b"order 1\n");
    let silent = soon(sh("sleep 0.1"), &input, MINUTE, MANY).await;
    let (status, output) = silent.expect("`sleep` reads nothing");
    assert!(status.success() && output.is_empty());
}

async fn too_much_output_ends_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("id");
    // It reads no input, and writes without an end.
    let script = format!("echo $$ > {}; exec yes", file.display());
    let input = b"order 1\n".repeat(200_000);
    let error = soon(sh(&script), &input, MINUTE, 100_000).await;
    let error = error.expect_err("its output has no end");
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
    let id = ids(&file).expect("written before the output")[0];
    assert!(
        !Path::new(&format!("/proc/{id}")).exists(),
        "`run` has returned, and the command is still a process"
    );
}

async fn a_limit_kills_all() {
    let (_folder, file, command) = two_processes();
    let error = soon(command, b"", Duration::from_secs(1), MANY).await;
    let error = error.expect_err("it takes twenty seconds");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    let ids = ids(&file).expect("written within a second");
    let command = format!("/proc/{}", ids[0]);
    assert!(
        !Path::new(&command).exists(),
        "`run` has returned, and the command is still a process"
    );
    end(&ids).await;
}

async fn a_process_left_behind_holds_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("id");
    // It has the command's stdin and stdout, and uses neither.
    let script = "{ sleep 6 <&3 & } 3<&0; echo $! > FILE; head -c 100000 /dev/zero";
    let script = script.replace("FILE", &file.display().to_string());
    for input in [b"".to_vec(), vec![b'x'; 1_000_000]] {
        let ended = soon(sh(&script), &input, MINUTE, MANY).await;
        let (status, output) = ended.expect("the command itself has ended");
        assert!(status.success());
        assert_eq!(output.len(), 100_000, "a part of the output is lost");
        let id = ids(&file).expect("written before the output")[0];
        assert!(runs(id), "the background process isn't left alone");
    }
}

async fn a_canceled_run_kills_all() {
    let (_folder, file, command) = two_processes();
    let mut running = Box::pin(run(command, Vec::new(), MINUTE, MANY));
    let started = async {
        while !file.exists() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = &mut running => panic!("it takes twenty seconds"),
        () = started => {}
    }
    drop(running);
    end(&ids(&file).expect("written")).await;
}
