//! Wrong: the client reads no answer before it has sent all orders.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

// ANCHOR: wrong
async fn send_all(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    orders: &str,
) -> io::Result<String> {
    // Wrong: the answers fill the buffers, and the server stops reading.
    socket.write_all(orders.as_bytes()).await?;
    socket.shutdown().await?;
    let mut answers = String::new();
    socket.read_to_string(&mut answers).await?;
    Ok(answers)
}
// ANCHOR_END: wrong

use tokio::{
    io::{AsyncBufReadExt, BufReader, DuplexStream, duplex, split},
    time::{Duration, timeout},
};

/// Answers every order before it reads the next one.
async fn answer_each(socket: DuplexStream) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut orders = BufReader::new(reader).lines();
    while let Some(order) = orders.next_line().await? {
        writer.write_all(format!("ok, {order}\n").as_bytes()).await?;
    }
    writer.shutdown().await
}

async fn talk(number: usize) -> bool {
    let orders = "order\n".repeat(number);
    let (client, server) = duplex(1024);
    let both = async {
        tokio::join!(send_all(client, &orders), answer_each(server))
    };
    timeout(Duration::from_secs(3600), both).await.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for number in [10, 1000] {
        match talk(number).await {
            true => println!("{number} orders: answered"),
            false => {
                println!("{number} orders: both sides wait to write")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_reading_is_no_deadlock() {
        assert!(talk(10).await);
        assert!(!talk(1000).await); // It is.
    }
}
