//! Wrong: the relay waits for a server that never closes.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex};
use tokio::time::{Duration, timeout};

// ANCHOR: wrong
async fn relay(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (client, ours) = duplex(64);
    let (theirs, server) = duplex(64);
    drop(client); // The client has left.
    let relaying = relay(ours, theirs);
    match timeout(Duration::from_secs(7200), relaying).await {
        Ok(_) => println!("both connections are closed"),
        Err(_) => println!("after two hours, both are still open"),
    }
    drop(server); // It was silent, and open, all the time.
}
// ANCHOR_END: wrong

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_after_the_client_has_left() {
        let (client, ours) = duplex(64);
        let (theirs, _server) = duplex(64);
        drop(client);
        let day = Duration::from_secs(24 * 3600);
        assert!(timeout(day, relay(ours, theirs)).await.is_err());
    }
}
