//! Wrong: a client that disconnects cancels its handler.

// ANCHOR: wrong
use std::sync::Arc;

use axum::extract::State;

/// Takes the money, then records the order.
async fn pay(State(shop): State<Arc<Shop>>) -> &'static str {
    shop.take_money();
    // Wrong: if the client disconnects, this future is dropped here.
    shop.answer_of_the_bank().await;
    shop.write_order();
    "paid"
}
// ANCHOR_END: wrong

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

use axum::{Router, routing::get};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What the shop has done, and what its bank does.
#[derive(Default)]
struct Shop {
    written: AtomicU32,
    money_taken: Notify,
    bank: Notify,
    handler_gone: Notify,
}

impl Shop {
    fn take_money(&self) {
        self.money_taken.notify_one();
    }

    async fn answer_of_the_bank(&self) {
        self.bank.notified().await;
    }

    fn write_order(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
    }
}

/// Says when a handler was dropped, whether it has answered or not.
struct Handler(Arc<Shop>);

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.handler_gone.notify_one();
    }
}

/// A client pays, and disconnects before the bank has answered. Returns
/// how many orders were written.
async fn pay_and_go() -> io::Result<u32> {
    let shop = Arc::new(Shop::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let handler = async |State(shop): State<Arc<Shop>>| {
        let _handler = Handler(shop.clone());
        pay(State(shop)).await
    };
    let routes = Router::new()
        .route("/pay", get(handler))
        .with_state(shop.clone());
    let server =
        tokio::spawn(axum::serve(listener, routes).into_future());
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /pay HTTP/1.1\r\nhost: shop\r\n\r\n";
    client.write_all(request).await?;
    shop.money_taken.notified().await;
    drop(client);
    shop.handler_gone.notified().await;
    shop.bank.notify_one();
    server.abort();
    Ok(shop.written.load(Ordering::Relaxed))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("paid: 1, written: {}", pay_and_go().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_by_the_client_still_writes_the_order()
    -> io::Result<()> {
        // It doesn't.
        assert_eq!(pay_and_go().await?, 0);
        Ok(())
    }
}
