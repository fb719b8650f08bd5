//! Wrong: the process forks when the runtime already has its threads.

// ANCHOR: wrong
use daemonize::{Daemonize, Stdio};

#[tokio::main]
async fn daemon() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // Wrong: the new process has only this thread, and no worker.
    Daemonize::new()
        .stdout(Stdio::keep())
        .stderr(Stdio::keep())
        .start()?;
    exit_after(Duration::from_millis(300));
    tokio::spawn(serve(listener)).await? // Never polled.
}
// ANCHOR_END: wrong

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Command, Stdio as Pipe},
};

use tokio::{io::AsyncWriteExt, time::Duration};

/// Otherwise, the process would stay forever.
fn exit_after(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        std::process::exit(1);
    });
}

/// Answers one client.
async fn serve(
    listener: tokio::net::TcpListener,
) -> anyhow::Result<()> {
    let (mut client, _) = listener.accept().await?;
    client.write_all(b"pong").await?;
    Ok(())
}

/// Starts a daemon, and returns what it answers to a client.
fn ask(command: &mut Command) -> anyhow::Result<String> {
    let mut starter = command.stdout(Pipe::piped()).spawn()?;
    let stdout = starter.stdout.take().expect("it's piped");
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    while !line.contains("127.0.0.1:") {
        line.clear();
        anyhow::ensure!(stdout.read_line(&mut line)? > 0, "no daemon");
    }
    let start = line.find("127.0.0.1:").expect("found above");
    let mut answer = String::new();
    // If nobody answers, the connection ends with the process.
    let _ = TcpStream::connect(line[start..].trim())?
        .read_to_string(&mut answer);
    // The first process ends as soon as the daemon runs.
    starter.wait()?;
    // The pipe ends with the daemon.
    stdout.read_to_end(&mut Vec::new())?;
    Ok(answer)
}

fn main() -> anyhow::Result<()> {
    if env::args().nth(1).as_deref() == Some("daemon") {
        return daemon();
    }
    let mut program = Command::new(env::current_exe()?);
    println!("the daemon answers: {:?}", ask(program.arg("daemon"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a test when it runs as one; a daemon when a test starts it.
    #[test]
    fn child() {
        if env::var_os("BOOK_DAEMON").is_some() {
            daemon().expect("it serves");
        }
    }

    #[test]
    fn threads_answer_after_the_fork() -> anyhow::Result<()> {
        // They don't.
        let module = module_path!();
        let (_, module) = module.split_once("::").expect("a module");
        let answer = ask(Command::new(env::current_exe()?)
            .arg(format!("{module}::child"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env("BOOK_DAEMON", "1"))?;
        assert_eq!(answer, "");
        Ok(())
    }
}
