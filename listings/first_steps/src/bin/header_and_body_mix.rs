//! Wrong: another task writes between the two parts of a message.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::sync::Mutex;

// ANCHOR: wrong
async fn report(
    writer: &Mutex<impl AsyncWrite + Unpin>,
    table: &str,
) -> io::Result<()> {
    writer.lock().await.write_all(table.as_bytes()).await?;
    // Here, the lock is free.
    writer.lock().await.write_all(b": soup is ready\n").await
}
// ANCHOR_END: wrong

async fn received() -> io::Result<String> {
    let (ours, mut theirs) = duplex(4);
    let reporting = async {
        let writer = Mutex::new(ours);
        tokio::try_join!(
            report(&writer, "table 1"),
            report(&writer, "table 2"),
        )
    };
    let mut text = String::new();
    tokio::try_join!(reporting, theirs.read_to_string(&mut text))?;
    Ok(text)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    print!("{}", received().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_peers_get_each_message_whole() {
        let text = received().await.expect("it's in memory");
        let mixed = "table 1table 2: soup is ready\n: soup is ready\n";
        assert_eq!(text, mixed);
    }
}
