//! Crash a server and restart it without its memory.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use turmoil::net::{TcpListener, TcpStream};

// ANCHOR: crash
/// Hands out order numbers and keeps the last one only in memory.
async fn serve() -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    for number in 1_u8.. {
        let (mut client, _) = listener.accept().await?;
        if let Err(error) = client.write_u8(number).await {
            note(&format!("order {number}: {error}"));
        }
    }
    Ok(())
}

/// Places an order every second. The server is down from 1.5 to 3 s.
fn simulate() -> turmoil::Result {
    let mut simulation = turmoil::Builder::new().rng_seed(7).build();
    simulation.host("server", serve);
    simulation.client("client", async {
        for _ in 0..5 {
            note(&match place().await {
                Ok(number) => format!("order {number}"),
                Err(error) => error.kind().to_string(),
            });
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    while !simulation.step()? {
        match simulation.elapsed().as_millis() {
            1500 => simulation.crash("server"),
            3000 => simulation.bounce("server"),
            _ => {}
        }
    }
    Ok(())
}
// ANCHOR_END: crash

async fn place() -> io::Result<u8> {
    let limit = Duration::from_millis(500);
    let reply = timeout(limit, async {
        let mut server = TcpStream::connect("server:80").await?;
        server.read_u8().await
    });
    reply.await.map_err(io::Error::from).flatten()
}

/// Prints a line with the second of the simulation.
fn note(line: &str) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    println!("{} s  {line}", now.as_secs());
}

fn main() {
    if let Err(error) = simulate() {
        println!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_to_its_end() -> turmoil::Result {
        simulate()
    }
}
