//! Wrong: after a timeout, the next message follows half of the first.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::sync::Mutex;
use tokio::time::{Duration, sleep, timeout};

// ANCHOR: wrong
const PATIENCE: Duration = Duration::from_millis(100);

async fn write(
    writer: &Mutex<impl AsyncWrite + Unpin>,
    message: &str,
) -> io::Result<()> {
    let writing = async {
        writer.lock().await.write_all(message.as_bytes()).await
    };
    timeout(PATIENCE, writing).await?
}
// ANCHOR_END: wrong

/// The peer reads nothing for a while. What does it get then?
async fn received(pause: Duration) -> io::Result<String> {
    let (ours, mut theirs) = duplex(16);
    let writer = Mutex::new(ours);
    let reporting = async move {
        for table in 1..=2 {
            let message = format!("table {table}: soup is ready\n");
            if let Err(error) = write(&writer, &message).await {
                println!("table {table}: {error}");
            }
        }
    };
    let mut text = String::new();
    let reading = async {
        sleep(pause).await;
        theirs.read_to_string(&mut text).await
    };
    tokio::join!(reporting, reading).1?;
    Ok(text)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let received = received(PATIENCE + PATIENCE / 2).await?;
    println!("received: {received:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_peers_get_nothing_after_half_a_message() {
        let late = PATIENCE + PATIENCE / 2;
        let text = received(late).await.expect("it ends");
        assert_eq!(text, "table 1: soup istable 2: soup is ready\n");
    }
}
