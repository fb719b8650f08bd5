//! Reads what a child prints line by line, as it comes.

// ANCHOR: follow
use std::{io, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// Passes on each line when it is printed. Returns how it ended.
async fn follow(
    mut job: Command,
    mut on_line: impl FnMut(&str),
) -> io::Result<bool> {
    let mut child =
        job.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let stdout = child.stdout.take();
    let stdout = stdout.ok_or(io::ErrorKind::BrokenPipe)?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        on_line(&line);
    }
    // Its output has ended, so now it can be waited for.
    Ok(child.wait().await?.success())
}
// ANCHOR_END: follow

fn convert() -> Command {
    let mut job = Command::new("sh");
    job.args(["-c", "echo page 1; echo page 2; exit 3"]);
    job.stdin(Stdio::null());
    job
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let is_ok = follow(convert(), |line| println!("{line}")).await?;
    println!("it went well: {is_ok}");
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_line_and_the_end_is_told() -> io::Result<()> {
        let mut lines = Vec::new();
        let push = |line: &str| lines.push(line.to_owned());
        assert!(!follow(convert(), push).await?);
        assert_eq!(lines, ["page 1", "page 2"]);
        Ok(())
    }

    #[tokio::test]
    async fn much_output_does_not_stop_it() -> io::Result<()> {
        let mut job = Command::new("sh");
        job.args(["-c", "yes order | head -n 100000"]);
        let mut lines = 0;
        assert!(follow(job, |_| lines += 1).await?);
        assert_eq!(lines, 100_000);
        Ok(())
    }
}
