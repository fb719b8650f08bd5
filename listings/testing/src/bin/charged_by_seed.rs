//! Wrong: with some seeds, a customer is charged twice.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use turmoil::net::{TcpListener, TcpStream};

// ANCHOR: wrong
/// Pays order 17, in at most twenty tries of 150 ms each.
async fn pay(events: &Events) -> io::Result<()> {
    let mut tries = 1;
    loop {
        let limit = Duration::from_millis(150);
        let tried = timeout(limit, ask(17)).await;
        match tried.map_err(io::Error::from).flatten() {
            Err(error) if tries == 20 => return Err(error),
            Err(_) => events.note("the client: again"),
            Ok(_) => break,
        }
        tries += 1;
        sleep(Duration::from_millis(50)).await;
    }
    events.note("the client: paid");
    Ok(())
}

/// Wrong: charges again for a retry whose first answer was only late.
async fn charge(mut client: TcpStream, bank: Bank) -> io::Result<()> {
    let second = Duration::from_secs(1);
    timeout(second, client.read_u32()).await??;
    bank.events.note("the bank: charges");
    client.write_u8(1).await
}
// ANCHOR_END: wrong

async fn ask(key: u32) -> io::Result<u8> {
    let mut bank = TcpStream::connect("bank:80").await?;
    bank.write_u32(key).await?;
    bank.read_u8().await
}

#[derive(Clone, Default)]
struct Bank {
    events: Events,
}

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn note(&self, event: &str) {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        let line = format!("{:>5} ms  {event}", now.as_millis());
        self.0.lock().expect("no panic").push(line);
    }
}

async fn serve(bank: Bank) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    let sessions = TaskTracker::new();
    loop {
        let (client, _) = listener.accept().await?;
        let bank = bank.clone();
        sessions.spawn(async move {
            if charge(client, bank.clone()).await.is_err() {
                bank.events.note("the bank: client disconnected");
            }
        });
    }
}

/// One run, in which the seed lets each message take 1 to 200 ms.
fn simulate(seed: u64) -> Vec<String> {
    let bank = Bank::default();
    let events = bank.events.clone();
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(200))
        .simulation_duration(Duration::from_secs(60))
        .build();
    simulation.host("bank", move || serve(bank.clone()));
    let noted = events.clone();
    simulation.client("client", async move { Ok(pay(&noted).await?) });
    if let Err(error) = simulation.run() {
        events.note(&error.to_string());
    }
    events.0.lock().expect("no panic").clone()
}

fn is_charged_twice(seed: u64) -> bool {
    let events = simulate(seed);
    events.iter().filter(|event| event.ends_with("charges")).count() > 1
}

fn main() {
    println!("seed 1 again: same: {}", simulate(1) == simulate(1));
    println!("seed 2:       same: {}", simulate(1) == simulate(2));
    let seeds = 0..200;
    let twice: Vec<_> =
        seeds.filter(|seed| is_charged_twice(*seed)).collect();
    println!("charged twice with {} seeds of 200", twice.len());
    if let Some(seed) = twice.first() {
        println!("seed {seed}:");
        println!("{}", simulate(*seed).join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_and_how_often_a_payment_is_made() {
        let twice =
            (0..200).filter(|seed| is_charged_twice(*seed)).count();
        assert!((1..200).contains(&twice));
    }
}
