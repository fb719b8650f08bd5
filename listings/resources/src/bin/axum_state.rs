//! State that the handlers of a web server share.

// ANCHOR: state
use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use tokio::time::{Duration, timeout};

/// The state that all handlers share. It's cloned for every request,
/// so its field is behind an `Arc`.
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

/// Awaits first, and changes the state last. If the client disconnects,
/// this future is dropped at an `.await`, so before the change.
async fn order(
    State(shop): State<Shop>,
    order: String,
) -> Result<String, StatusCode> {
    let check = timeout(Duration::from_secs(5), in_stock(&order));
    let is_there =
        check.await.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
    if !is_there {
        return Err(StatusCode::CONFLICT);
    }
    Ok(format!("order {}", shop.add(order)))
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

/// Stands for a request to the warehouse.
async fn in_stock(order: &str) -> bool {
    yield_now().await;
    match order {
        "silence" => std::future::pending().await,
        "a bug" => panic!("a bug in the client of the warehouse"),
        _ => order != "gold",
    }
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

/// Twenty clients at the same time. Returns their answers, sorted.
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
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    type Answer = Result<String, StatusCode>;

    async fn place(shop: &Shop, body: &str) -> Answer {
        order(State(shop.clone()), body.to_owned()).await
    }

    fn orders(shop: &Shop) -> usize {
        shop.orders.lock().expect("no panic").len()
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_places_no_order() {
        at_every_poll(async |cancel| {
            let shop = Shop::default();
            let answer = cancel.run(place(&shop, "tea")).await;
            assert_eq!(orders(&shop), usize::from(answer.is_some()));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_request_leaves_the_others() {
        let shop = Shop::default();
        let task = shop.clone();
        let panics =
            tokio::spawn(async move { place(&task, "a bug").await });
        assert!(panics.await.is_err_and(|error| error.is_panic()));
        let answer = place(&shop, "tea").await;
        assert_eq!(answer.as_deref(), Ok("order 1"));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_warehouse_holds_up_nobody() {
        let shop = Shop::default();
        let silent = async {
            tokio::join!(
                place(&shop, "silence"),
                place(&shop, "silence"),
                place(&shop, "tea"),
            )
        };
        let (one, other, tea) = within(HOUR, silent).await;
        assert_eq!(one, Err(StatusCode::GATEWAY_TIMEOUT));
        assert_eq!(one, other);
        assert_eq!(tea.as_deref(), Ok("order 1"));
        assert_eq!(orders(&shop), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_a_status() {
        let shop = Shop::default();
        let refused = place(&shop, "gold").await;
        assert_eq!(refused, Err(StatusCode::CONFLICT));
        assert_eq!(orders(&shop), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_orders() {
        let shop = Shop::default();
        let all = (0..100).map(|_| place(&shop, "tea"));
        let answers = futures::future::join_all(all).await;
        let answers: std::collections::HashSet<_> =
            answers.into_iter().flatten().collect();
        assert_eq!(answers.len(), 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_different_numbers() -> io::Result<()> {
        let expected: Vec<_> =
            (1..=20).map(|number| format!("order {number}")).collect();
        assert_eq!(twenty_clients().await?, expected);
        Ok(())
    }

    #[tokio::test]
    async fn owner_gone_leaves_no_task() -> io::Result<()> {
        twenty_clients().await?;
        no_task_left().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_body() {
        let shop = Shop::default();
        assert_eq!(place(&shop, "").await.as_deref(), Ok("order 1"));
        assert_eq!(place(&shop, "茶").await.as_deref(), Ok("order 2"));
    }

    /// As documented: a client that resends makes a second order.
    #[tokio::test(start_paused = true)]
    async fn again_is_a_second_order() {
        let shop = Shop::default();
        assert_eq!(place(&shop, "tea").await.as_deref(), Ok("order 1"));
        assert_eq!(place(&shop, "tea").await.as_deref(), Ok("order 2"));
    }
}
