//! Become a daemon first, and build the runtime after that.

// ANCHOR: daemon
use daemonize::{Daemonize, Outcome};
use tokio::runtime::Runtime;

/// Detaches the process from its terminal, and serves. In the calling
/// process, it returns when the daemon is ready, or has failed.
fn daemon(folder: &Path) -> anyhow::Result<()> {
    // There's still only one thread. Do what needs root, then fork.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let (mut starting, mut ready) = std::io::pipe()?;
    // The daemon's folder is another one.
    let folder = folder.canonicalize()?;
    let mut log = File::options();
    let log = log.append(true).create(true).open(folder.join("log"))?;
    let daemon = Daemonize::new()
        .working_directory("/")
        .pid_file(folder.join("pid")) // Locked by the first daemon.
        .stderr(log);
    match daemon.execute() {
        Outcome::Parent(forked) => {
            forked?;
            drop(ready);
            let read = starting.read_exact(&mut [0]);
            return read.context("the daemon didn't start");
        }
        Outcome::Child(detached) => detached?,
    };

    // The process is the daemon now, and may start threads.
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.write_all(b"!")?;
        tokio::spawn(serve(listener)).await?
    })
}
// ANCHOR_END: daemon

use std::{
    env,
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

use anyhow::Context;
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

/// Starts a daemon, and returns its address.
fn start(command: &mut Command) -> anyhow::Result<String> {
    let starter = command.output()?;
    let error = String::from_utf8_lossy(&starter.stderr);
    anyhow::ensure!(starter.status.success(), "{error}");
    let said = String::from_utf8(starter.stdout)?;
    let start = said.find("127.0.0.1:").context("no address")?;
    let address = said[start..].split_whitespace().next();
    Ok(address.context("no address")?.to_owned())
}

/// Returns what the daemon answers to a client.
fn ask(address: &str) -> anyhow::Result<String> {
    let mut answer = String::new();
    // If nobody answers, the connection closes with the process.
    let _ = TcpStream::connect(address)?.read_to_string(&mut answer);
    Ok(answer)
}

fn main() -> anyhow::Result<()> {
    if let Some(folder) = env::args_os().nth(1) {
        return daemon(folder.as_ref());
    }
    let folder = tempfile::tempdir()?;
    let mut program = Command::new(env::current_exe()?);
    let address = start(program.arg(folder.path()))?;
    println!("the daemon answers: {:?}", ask(&address)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does nothing as a test, and is a daemon if a test starts it.
    #[test]
    fn child() {
        if let Some(folder) = env::var_os("BOOK_DAEMON") {
            daemon(folder.as_ref()).expect("it serves");
        }
    }

    fn child_in(folder: &Path) -> anyhow::Result<Command> {
        let module = module_path!();
        let (_, module) = module.split_once("::").expect("a module");
        let mut child = Command::new(env::current_exe()?);
        child
            .arg(format!("{module}::child"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env("BOOK_DAEMON", folder);
        Ok(child)
    }

    fn start_child(folder: &Path) -> anyhow::Result<String> {
        start(&mut child_in(folder)?)
    }

    /// The daemon leaves its folder, and the file is still in there.
    #[test]
    fn edges_of_a_relative_folder() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut child = child_in(".".as_ref())?;
        let address = start(child.current_dir(folder.path()))?;
        assert!(folder.path().join("pid").exists());
        assert_eq!(ask(&address)?, "pong");
        Ok(())
    }

    #[test]
    fn threads_answer_after_the_fork() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(ask(&start_child(folder.path())?)?, "pong");
        Ok(())
    }

    #[test]
    fn again_is_refused_while_the_first_daemon_runs()
    -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let first = start_child(folder.path())?;
        let second = start_child(folder.path());
        let error = second.expect_err("the file is locked").to_string();
        assert!(error.contains("the daemon didn't start"), "{error}");
        assert_eq!(ask(&first)?, "pong");
        let other = tempfile::tempdir()?;
        assert_eq!(ask(&start_child(other.path())?)?, "pong");
        Ok(())
    }

    /// The daemon fails after the second fork, and its starter fails too.
    #[test]
    fn failure_of_the_daemon_is_the_failure_of_its_starter()
    -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("pid"))?;
        start_child(folder.path()).expect_err("no file can be there");
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
