//! Both ends of a connection in memory, in one test.

use std::{io, time::Duration};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt,
        BufReader, duplex, split,
    },
    time::{Instant, sleep},
};

// ANCHOR: session
/// Answers each line with a receipt, until the client has gone.
async fn serve<S>(client: S) -> io::Result<u32>
where
    S: AsyncRead + AsyncWrite,
{
    let (read, mut write) = split(client);
    let mut lines = BufReader::new(read).lines();
    let mut served = 0;
    while let Some(line) = lines.next_line().await? {
        write.write_all(format!("paid {line}\n").as_bytes()).await?;
        served += 1;
    }
    Ok(served)
}
// ANCHOR_END: session

// ANCHOR: both
/// Both ends in one test. Each direction has room for 8 bytes, so
/// every longer line is written and read in pieces.
async fn talk() -> io::Result<(u32, Vec<String>)> {
    let (here, there) = duplex(8);
    let client = async {
        let (read, mut write) = split(here);
        let mut lines = BufReader::new(read).lines();
        let mut receipts = Vec::new();
        for order in ["order 17", "order 18"] {
            write.write_all(order.as_bytes()).await?;
            sleep(Duration::from_secs(60)).await;
            write.write_all(b"\n").await?;
            receipts.extend(lines.next_line().await?);
        }
        // Both halves are dropped: the server reads the end.
        Ok(receipts)
    };
    tokio::try_join!(serve(there), client)
}
// ANCHOR_END: both

// ANCHOR: full
/// A client that reads nothing: the third receipt finds no room.
async fn deaf_client() -> Option<io::Result<u32>> {
    let (mut here, there) = duplex(32);
    let deaf = async {
        here.write_all(b"order 1\norder 2\norder 3\n").await?;
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        biased;
        served = serve(there) => Some(served),
        ended = deaf => ended.err().map(Err),
        () = sleep(Duration::from_secs(3600)) => None,
    }
}
// ANCHOR_END: full

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    let (served, receipts) = talk().await?;
    println!("served {served} in {:?}", start.elapsed());
    println!("the client read {receipts:?}");
    let ended = deaf_client().await.is_some();
    println!("with a deaf client it ended: {ended}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_order_gets_its_receipt() -> io::Result<()> {
        let (served, receipts) = talk().await?;
        assert_eq!(served, 2);
        assert_eq!(receipts, ["paid order 17", "paid order 18"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_deaf_client_holds_it_up() {
        assert!(deaf_client().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_other_end_may_go() -> io::Result<()> {
        let (here, there) = duplex(64);
        drop(here);
        assert_eq!(serve(there).await?, 0);
        Ok(())
    }
}
