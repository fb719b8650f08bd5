//! State that the handlers of a web server share.

// ANCHOR: state
use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};

/// What all handlers share. Cloned for each request, so what is in it
/// is behind an `Arc`.
#[derive(Clone, Default)]
struct Shop {
    orders: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn add(&self, order: String) -> usize {
        let mut orders = self.orders.lock().expect("no panic in here");
        orders.push(order);
        orders.len()
    }
}

/// Locks in a method that returns, and awaits after that.
async fn order(State(shop): State<Shop>, body: String) -> String {
    let number = shop.add(body);
    tell_warehouse(number).await;
    format!("order {number}")
}

fn routes(shop: Shop) -> Router {
    Router::new().route("/orders", post(order)).with_state(shop)
}
// ANCHOR_END: state

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
};
use tokio_util::task::AbortOnDropHandle;

async fn tell_warehouse(_number: usize) {
    yield_now().await;
}

/// Sends one order. Returns the last line of the answer.
async fn send(address: SocketAddr) -> io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    let head = "POST /orders HTTP/1.1\r\nhost: shop\r\n";
    let rest = "connection: close\r\ncontent-length: 3\r\n\r\ntea";
    client.write_all(format!("{head}{rest}").as_bytes()).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}

/// Twenty clients at once. Returns what they were told, sorted.
async fn twenty_clients() -> io::Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = axum::serve(listener, routes(Shop::default()));
    let _server =
        AbortOnDropHandle::new(tokio::spawn(
            async move { server.await },
        ));
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        clients.spawn(send(address));
    }
    let answers = clients.join_all().await;
    let mut answers: Vec<_> =
        answers.into_iter().collect::<io::Result<_>>()?;
    answers.sort_by_key(|answer| (answer.len(), answer.clone()));
    Ok(answers)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let answers = twenty_clients().await?;
    println!("{} answers", answers.len());
    println!("the first: {}", answers[0]);
    println!("the last:  {}", answers[answers.len() - 1]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_gets_a_number_of_its_own() -> io::Result<()> {
        let expected: Vec<_> =
            (1..=20).map(|number| format!("order {number}")).collect();
        assert_eq!(twenty_clients().await?, expected);
        Ok(())
    }
}
