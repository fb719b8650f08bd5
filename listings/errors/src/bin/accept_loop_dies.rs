//! Wrong: one failed connection stops the whole server.

// ANCHOR: wrong
use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

/// Serves one connection after another.
async fn serve(
    mut accepted: mpsc::Receiver<Accepted>,
) -> io::Result<u32> {
    let mut served = 0;
    while let Some(client) = accepted.recv().await {
        // Wrong: either error returns from the loop.
        answer(client?).await?;
        served += 1;
    }
    Ok(served)
}
// ANCHOR_END: wrong

/// What `accept` returns: "too many open files" is an error of one
/// call, and the next one may succeed.
type Accepted = io::Result<DuplexStream>;

async fn answer(mut client: DuplexStream) -> io::Result<()> {
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    client.write_all(b"pong").await
}

/// Five clients: the second sends half a request, and instead of the
/// fourth, there is an error.
async fn clients(accept: mpsc::Sender<Accepted>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for number in 1..=5 {
        let (mut client, server) = tokio::io::duplex(64);
        let accepted = match number {
            4 => {
                drop(server);
                Err(io::Error::other("too many open files"))
            }
            _ => Ok(server),
        };
        if accept.send(accepted).await.is_err() {
            seen.push("not accepted");
            continue;
        }
        let request: &[u8] = if number == 2 { b"pi" } else { b"ping" };
        let asked = async {
            client.write_all(request).await?;
            client.shutdown().await?;
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await
        };
        seen.push(if asked.await.is_ok() { "pong" } else { "failed" });
    }
    seen
}

async fn run() -> (Vec<&'static str>, io::Result<u32>) {
    let (accept, accepted) = mpsc::channel(1);
    let server = tokio::spawn(serve(accepted));
    let seen = clients(accept).await;
    (seen, server.await.expect("it does not panic"))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (seen, ended) = run().await;
    for (client, seen) in (1..).zip(seen) {
        println!("client {client}: {seen}");
    }
    match ended {
        Ok(served) => println!("the server served {served}"),
        Err(error) => println!("the server has stopped: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_client_leaves_the_others() {
        let (seen, ended) = run().await;
        assert_eq!(seen[0], "pong");
        assert!(seen[2..].iter().all(|it| *it == "not accepted"));
        assert!(ended.is_err());
    }
}
