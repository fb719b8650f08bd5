//! A shell doesn't forward SIGTERM; `exec` replaces the shell instead.

#[cfg(unix)]
mod unix {
    use std::{env, io, process::Stdio, time::Duration};

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin},
        process::Command,
        signal::unix::{SignalKind, signal},
        time::timeout,
    };

    // ANCHOR: commands
    /// The service, started by a script that runs a command after it.
    const SHELL: &str = r#""$0" "$@"; true"#;
    /// The service, started by a script that ends with `exec`.
    const EXEC: &str = r#"true; exec "$0" "$@""#;

    /// Starts the service with `sh -c`, and sends SIGTERM to the
    /// process that it started, as Docker does. Returns how that
    /// process ended, and what the service says.
    async fn stop(script: &str) -> io::Result<(String, String)> {
        let mut process = Command::new("sh")
            .args(["-c", script])
            .arg(env::current_exe()?)
            .args(AS_SERVICE)
            .env("ROLE", "service")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let broken = io::ErrorKind::BrokenPipe;
        let mut input = process.stdin.take().ok_or(broken)?;
        let output = process.stdout.take().ok_or(broken)?;
        let mut lines = BufReader::new(output).lines();
        let eof = io::ErrorKind::UnexpectedEof;
        while lines.next_line().await?.ok_or(eof)? != "ready" {}

        let id = process.id().ok_or(io::ErrorKind::NotFound)?;
        terminate(id).await?;
        let status = process.wait().await?;
        // If the service is still there, it answers, and then it ends
        // with its input.
        let asked = input.write_all(b"are you there?\n").await;
        drop((asked, input));
        let said = lines.next_line().await?.unwrap_or_default();
        while lines.next_line().await?.is_some() {}
        Ok((status.to_string(), said))
    }
    // ANCHOR_END: commands

    /// In a test run, the service is one of the tests.
    const AS_SERVICE: &[&str] = if cfg!(test) {
        &["unix::tests::service", "--exact", "--nocapture"]
    } else {
        &[]
    };

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn terminate(id: u32) -> io::Result<()> {
        let command = format!("kill -s TERM {id}");
        let sent =
            Command::new("sh").args(["-c", &command]).status().await?;
        match sent.success() {
            true => Ok(()),
            false => Err(io::Error::other("no signal was sent")),
        }
    }

    /// Serves until SIGTERM, or until the end of its input.
    #[tokio::main(flavor = "current_thread")]
    pub async fn serve() -> io::Result<()> {
        let mut sigterm = signal(SignalKind::terminate())?;
        let mut lines = BufReader::new(stdin()).lines();
        println!("ready");
        loop {
            tokio::select! {
                biased;
                _ = sigterm.recv() => {
                    println!("stopping");
                    // A thread may still read the input.
                    std::process::exit(0);
                }
                line = lines.next_line() => match line? {
                    Some(_) => println!("still serving"),
                    None => return Ok(()),
                }
            }
        }
    }

    #[tokio::main]
    pub async fn run() -> io::Result<()> {
        for (name, script) in [("shell", SHELL), ("exec", EXEC)] {
            let (status, said) =
                timeout(PATIENCE, stop(script)).await??;
            println!("{name}: {status}; the service is {said}");
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Not a test when it runs as one; a service when a test
        /// starts it.
        #[test]
        fn service() -> io::Result<()> {
            if env::var("ROLE").is_ok() {
                serve()?;
                std::process::exit(0);
            }
            Ok(())
        }

        #[tokio::test]
        async fn stop_reaches_the_service_only_with_exec()
        -> io::Result<()> {
            let (status, said) = stop(SHELL).await?;
            assert_eq!(said, "still serving");
            assert!(status.contains("signal: 15"), "{status}");
            let (status, said) = stop(EXEC).await?;
            assert_eq!(said, "stopping");
            assert!(status.contains('0'), "{status}");
            Ok(())
        }
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    match std::env::var("ROLE") {
        Ok(_) => unix::serve(),
        Err(_) => unix::run(),
    }
}

#[cfg(not(unix))]
fn main() {
    println!("this program needs a Unix system");
}
