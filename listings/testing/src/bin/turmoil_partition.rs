//! Test retries while a network loses or holds messages.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

// ANCHOR: client
use turmoil::net::{TcpListener, TcpStream};

/// Asks for the price at most ten times. Each try may take half a
/// second, including the connect. Returns the last error.
async fn price() -> io::Result<String> {
    let mut attempt = 1;
    loop {
        let limit = Duration::from_millis(500);
        let reply = timeout(limit, ask()).await;
        match reply.map_err(io::Error::from).flatten() {
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
    // No price is longer than 100 bytes.
    BufReader::new(server.take(100)).read_line(&mut price).await?;
    // Without a line ending, part of the price is missing.
    let whole = price.strip_suffix('\n').map(str::to_owned);
    whole.ok_or(io::ErrorKind::UnexpectedEof.into())
}
// ANCHOR_END: client

async fn serve() -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let sessions = TaskTracker::new();
    loop {
        let (client, _) = listener.accept().await?;
        sessions.spawn(async {
            let limit = Duration::from_secs(5);
            let answered = timeout(limit, answer(client)).await;
            if let Err(error) =
                answered.map_err(io::Error::from).flatten()
            {
                note(&format!("the server: {error}"));
            }
        });
    }
}

async fn answer(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut question = (&mut client).take(100);
    question.read_line(&mut String::new()).await?;
    client.write_all(b"1250\n").await?;
    client.shutdown().await
}

// ANCHOR: simulate
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
// ANCHOR_END: simulate

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

    /// What the client gets from a server and a network that both do
    /// what a test says.
    fn outcome<F>(
        serve: fn(TcpStream) -> F,
        network: impl Future<Output = ()> + 'static,
    ) -> io::Result<String>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let mut simulation = turmoil::Builder::new()
            .rng_seed(7)
            .simulation_duration(Duration::from_secs(120))
            .build();
        simulation.host("server", move || async move {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            let sessions = TaskTracker::new();
            loop {
                let (client, _) = listener.accept().await?;
                sessions.spawn(serve(client));
            }
        });
        let (sender, receiver) = std::sync::mpsc::channel();
        simulation.client("client", async move {
            sender.send(price().await)?;
            Ok(())
        });
        simulation.client("network", async {
            network.await;
            Ok(())
        });
        simulation.run().expect("each client returns");
        receiver.recv().expect("it has an outcome")
    }

    #[test]
    fn silence_of_the_network_and_the_client() {
        simulate().expect("the client gets its price");
    }

    #[test]
    fn silence_of_a_server_ends_with_an_error() {
        let silent = |client| async move {
            std::future::pending::<()>().await;
            drop(client);
            Ok(())
        };
        let price = outcome(silent, async {});
        let error = price.expect_err("it is silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn silence_from_the_first_moment_ends_with_an_error() {
        let hold: fn() = || turmoil::hold("client", "server");
        let cut: fn() = || turmoil::partition("client", "server");
        for (silence, kind) in [
            (hold, io::ErrorKind::TimedOut),
            // In turmoil, connecting fails here.
            (cut, io::ErrorKind::ConnectionRefused),
        ] {
            let price = outcome(answer, async move { silence() });
            assert_eq!(price.expect_err("silence").kind(), kind);
        }
    }

    #[test]
    fn failure_in_the_middle_of_an_answer_is_no_price() {
        let torn = |mut client: TcpStream| async move {
            client.write_all(b"12").await?;
            client.shutdown().await
        };
        let error = outcome(torn, async {}).expect_err("it is torn");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn failure_an_endless_answer_is_no_price() {
        let endless = |mut client: TcpStream| async move {
            loop {
                client.write_all(&[b'1'; 64]).await?;
            }
        };
        let error = outcome(endless, async {}).expect_err("endless");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn crash_of_the_server_is_survived() {
        let mut simulation = turmoil::Builder::new()
            .rng_seed(7)
            .simulation_duration(Duration::from_secs(60))
            .build();
        simulation.host("server", serve);
        simulation.client("client", async {
            assert_eq!(price().await?, "1250");
            Ok(())
        });
        simulation.crash("server");
        while !simulation.step().expect("no failure") {
            if simulation.elapsed() == Duration::from_secs(3) {
                simulation.bounce("server");
            }
        }
    }
}
