//! Wrong: a read of stdin can't be canceled, so the exit waits for it.

// ANCHOR: wrong
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// A console that ends on a command, or after a while without one.
#[tokio::main]
async fn console() {
    // Wrong: the read runs on a blocking thread, and keeps running when
    // its future is dropped. The runtime waits for it.
    let mut commands = BufReader::new(stdin()).lines();
    tokio::select! {
        biased;
        command = commands.next_line() => println!("{command:?}"),
        () = nobody_types() => println!("good night"),
    }
}
// ANCHOR_END: wrong

async fn nobody_types() {
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

use std::{io, process::Stdio, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::timeout,
};

/// Runs the console as a child, and types nothing. Returns whether it
/// ends by itself.
async fn ends_by_itself() -> io::Result<bool> {
    let mut child = child_as("console")?;
    let mut keyboard = child.stdin.take();
    let mut lines = BufReader::new(
        child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?,
    )
    .lines();
    while lines.next_line().await?.is_some_and(|it| it != "good night")
    {
    }
    if timeout(PATIENCE, child.wait()).await.is_ok() {
        return Ok(true);
    }
    // The key that users press again and again.
    if let Some(keyboard) = &mut keyboard {
        keyboard.write_all(b"\n").await?;
    }
    child.wait().await?;
    Ok(false)
}

/// This program again, as a child.
fn child_as(role: &str) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(AS_CHILD)
        .env("ROLE", role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

const PATIENCE: Duration = Duration::from_secs(1);

/// In a test run, the child is one of the tests.
const AS_CHILD: &[&str] = if cfg!(test) {
    &["tests::child", "--exact", "--nocapture"]
} else {
    &[]
};

#[tokio::main]
async fn run() -> io::Result<()> {
    match ends_by_itself().await? {
        true => println!("it exited by itself"),
        false => println!("it exited when Enter was pressed"),
    }
    Ok(())
}

fn main() -> io::Result<()> {
    if std::env::var_os("ROLE").is_some() {
        console();
        return Ok(());
    }
    run()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a test when it runs as one; a child when a test starts it.
    #[test]
    fn child() {
        match std::env::var("ROLE").as_deref() {
            Ok("reader") => read_again(),
            Ok(_) => console(),
            Err(_) => {}
        }
    }

    /// Drops a reader that waits for a line, and takes another one.
    #[tokio::main]
    async fn read_again() {
        let mut first = BufReader::new(stdin()).lines();
        let short = Duration::from_millis(200);
        let line = timeout(short, first.next_line()).await;
        assert!(line.is_err(), "nobody types yet");
        drop(first);
        println!("dropped");
        let mut second = BufReader::new(stdin()).lines();
        println!("then: {:?}", second.next_line().await);
    }

    #[tokio::test]
    async fn the_next_line_is_lost() -> io::Result<()> {
        let mut child = child_as("reader")?;
        let mut keyboard = child.stdin.take();
        let output = child.stdout.take();
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if line == "dropped"
                && let Some(mut keyboard) = keyboard.take()
            {
                keyboard.write_all(b"pay 7\n").await?;
            }
            if let Some(read) = line.strip_prefix("then: ") {
                assert_eq!(read, "Ok(None)");
                return Ok(());
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    #[tokio::test]
    async fn silence_of_the_keyboard_does_not_hold_the_exit()
    -> io::Result<()> {
        // It does.
        assert!(!ends_by_itself().await?);
        Ok(())
    }
}
