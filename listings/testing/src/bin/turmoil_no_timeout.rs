//! Wrong: a client without a timeout hangs in a partition.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::sleep,
};
use tokio_util::task::TaskTracker;

// ANCHOR: wrong
use turmoil::net::{TcpListener, TcpStream};

/// Wrong: retries after an error, but silence isn't an error.
async fn price() -> io::Result<String> {
    let mut attempt = 1;
    loop {
        match ask().await {
            Err(error) if attempt < 10 => {
                note(&format!("try {attempt}: {}", error.kind()));
            }
            outcome => return outcome,
        }
        attempt += 1;
        sleep(Duration::from_secs(1)).await;
    }
}

async fn ask() -> io::Result<String> {
    let mut server = TcpStream::connect("server:80").await?;
    server.write_all(b"price\n").await?;
    let mut price = String::new();
    BufReader::new(server).read_line(&mut price).await?;
    // Without a line ending, part of the price is missing.
    let whole = price.strip_suffix('\n').map(str::to_owned);
    whole.ok_or(io::ErrorKind::UnexpectedEof.into())
}
// ANCHOR_END: wrong

async fn serve() -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let sessions = TaskTracker::new();
    loop {
        let (client, _) = listener.accept().await?;
        sessions.spawn(async {
            if let Err(error) = answer(client).await {
                note(&format!("the server: {error}"));
            }
        });
    }
}

async fn answer(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    client.read_line(&mut String::new()).await?;
    client.write_all(b"1250\n").await?;
    client.shutdown().await
}

fn simulate() -> turmoil::Result {
    let latency = Duration::from_millis(10);
    let mut simulation = turmoil::Builder::new()
        .rng_seed(7)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .simulation_duration(Duration::from_secs(60))
        .build();
    simulation.host("server", serve);
    simulation.client("network", async {
        sleep(Duration::from_millis(15)).await;
        turmoil::partition("client", "server");
        note("partition: messages are lost");
        sleep(Duration::from_secs(2)).await;
        turmoil::repair("client", "server");
        turmoil::hold("client", "server");
        note("hold: messages wait");
        sleep(Duration::from_millis(1685)).await;
        turmoil::release("client", "server");
        note("release: messages arrive");
        Ok(())
    });
    simulation.client("client", async {
        note(&format!("the price is {}", price().await?));
        Ok(())
    });
    simulation.run()
}

/// Prints a line with the time of the simulation.
fn note(line: &str) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    println!("{:>5} ms  {line}", now.as_millis());
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
    fn silence_of_the_network_and_the_client() {
        let error = simulate().expect_err("it hangs").to_string();
        assert!(error.contains("without completing"), "{error}");
    }
}
