//! Wrong: after "too many open files", the loop uses a whole core.

// ANCHOR: wrong
use std::io;

use tokio::{net::TcpListener, task::JoinSet};

async fn serve(listener: TcpListener) {
    let mut clients = JoinSet::new();
    let mut errors = 0;
    while errors < 10_000 {
        match listener.accept().await {
            Ok((client, _address)) => {
                println!("accepted");
                clients.spawn(answer(client));
            }
            Err(error) => {
                errors += 1;
                if errors == 1 {
                    println!("{error}");
                }
                // Wrong: the client is still in the backlog, so `accept`
                // fails again immediately.
            }
        }
    }
    println!("{errors} errors");
}
// ANCHOR_END: wrong

use std::fs::File;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Waits until the client sends something, which it never does.
async fn answer(mut client: TcpStream) -> io::Result<u8> {
    client.read_u8().await
}

// ANCHOR: limit
/// Allows this process only one more file than it has open now.
fn one_more_file() -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let next = File::open("/dev/null")?.as_raw_fd();
    let soft = u64::try_from(next).map_err(io::Error::other)? + 1;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(())
}
// ANCHOR_END: limit

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let _first = TcpStream::connect(address).await?;
    let _second = TcpStream::connect(address).await?;
    one_more_file()?;
    serve(listener).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, timeout};

    use super::*;

    /// In a process of its own, so the limit concerns no other program.
    #[tokio::test]
    async fn failure_too_many_open_files_makes_a_pause()
    -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let _first = TcpStream::connect(address).await?;
        let _second = TcpStream::connect(address).await?;
        one_more_file()?;
        // It doesn't: thousands of errors follow each other.
        let limit = Duration::from_secs(5);
        assert!(timeout(limit, serve(listener)).await.is_ok());
        Ok(())
    }
}
