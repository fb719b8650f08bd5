//! Become a daemon first, and build the runtime after that.

// ANCHOR: daemon
use daemonize::{Daemonize, Stdio};
use tokio::runtime::Runtime;

/// Detaches the process from its terminal, and serves.
fn daemon() -> anyhow::Result<()> {
    // There's only one thread yet. Do what needs root, and then fork.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    Daemonize::new()
        .working_directory("/")
        .stdout(Stdio::keep()) // The default is /dev/null.
        .stderr(Stdio::keep())
        .start()?;

    // The process is the daemon now, and may start threads.
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(serve(listener)).await?
    })
}
// ANCHOR_END: daemon

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Command, Stdio as Pipe},
};

use tokio::{
    io::AsyncWriteExt,
    time::{Duration, timeout},
};

/// Answers one client.
async fn serve(
    listener: tokio::net::TcpListener,
) -> anyhow::Result<()> {
    let limit = Duration::from_secs(30);
    let (mut client, _) = timeout(limit, listener.accept()).await??;
    timeout(limit, client.write_all(b"pong")).await??;
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

    fn ask_child() -> anyhow::Result<String> {
        let module = module_path!();
        let (_, module) = module.split_once("::").expect("a module");
        ask(Command::new(env::current_exe()?)
            .arg(format!("{module}::child"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env("BOOK_DAEMON", "1"))
    }

    #[test]
    fn threads_answer_after_the_fork() -> anyhow::Result<()> {
        assert_eq!(ask_child()?, "pong");
        Ok(())
    }

    #[test]
    fn again_is_another_daemon() -> anyhow::Result<()> {
        assert_eq!(ask_child()?, "pong");
        assert_eq!(ask_child()?, "pong");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_daemon() -> anyhow::Result<()> {
        let nobody =
            tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let served = hazards::within(hazards::HOUR, serve(nobody));
        assert!(served.await.is_err());
        Ok(())
    }
}
