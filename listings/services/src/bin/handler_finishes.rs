//! Finish a payment even if the client disconnects.

// ANCHOR: handler
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use futures::FutureExt;
use tokio::time::{Duration, timeout};

/// Takes the money and records the order, even if the client
/// disconnects. Two requests for one order charge it twice.
async fn pay(
    State(shop): State<Arc<Shop>>,
    Path(order): Path<u32>,
) -> Result<&'static str, StatusCode> {
    let Ok(place) = shop.places.clone().try_acquire_owned() else {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    let work = shop.clone().take_payment(order);
    let paid = shop.payments.spawn(async move {
        // The permit is held until the payment has ended.
        let _place = place;
        finished(order, work).await
    });
    match paid.await {
        Ok(true) => Ok("paid"),
        Ok(false) | Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
// ANCHOR_END: handler

// ANCHOR: finished
use std::{
    io::{self, Write},
    panic::AssertUnwindSafe,
    sync::Arc,
};

/// Runs in the task, so it reports failures even without a client.
async fn finished(
    order: u32,
    work: impl Future<Output = io::Result<()>>,
) -> bool {
    // `work` is dropped inside, so a panic in its `drop` is caught.
    let work = async { timeout(LONGEST, work).await };
    let why = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(Ok(()))) => return true,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_elapsed)) => "no answer from the bank".to_owned(),
        Err(_panic) => "the payment panicked".to_owned(),
    };
    // `eprintln!` would panic if stderr is closed.
    let text = "may be paid, and isn't written";
    _ = writeln!(io::stderr(), "order {order} {text}: {why}");
    false
}

/// The time limit of a payment.
const LONGEST: Duration = Duration::from_secs(30);
// ANCHOR_END: finished

use std::sync::atomic::{AtomicU32, Ordering};

use axum::{Router, routing::get};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tokio_util::task::TaskTracker;

/// What the shop has done, and what its bank does.
struct Shop {
    payments: TaskTracker,
    places: Arc<Semaphore>,
    written: AtomicU32,
    money_taken: Notify,
    bank: Notify,
    handler_gone: Notify,
}

impl Shop {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            payments: TaskTracker::new(),
            places: Arc::new(Semaphore::new(4)),
            written: AtomicU32::new(0),
            money_taken: Notify::new(),
            bank: Notify::new(),
            handler_gone: Notify::new(),
        })
    }

    async fn take_payment(
        self: Arc<Self>,
        order: u32,
    ) -> io::Result<()> {
        self.money_taken.notify_one();
        #[cfg(test)]
        tests::trouble(order)?;
        let _ = order;
        self.bank.notified().await;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Says when a handler was dropped, whether it has answered or not.
struct Handler(Arc<Shop>);

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.handler_gone.notify_one();
    }
}

// ANCHOR: stop
/// Waits for the payments after the server has stopped. Returns how
/// many payments are still running after the grace period.
async fn stop(shop: &Shop, grace: Duration) -> usize {
    shop.payments.close();
    // After a timeout, the payments that are left are counted below.
    let _ = timeout(grace, shop.payments.wait()).await;
    shop.payments.len()
}
// ANCHOR_END: stop

/// A client pays, and disconnects before the bank has answered. Returns
/// how many orders were written.
async fn pay_and_go() -> io::Result<u32> {
    let shop = Shop::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let handler = async |State(shop): State<Arc<Shop>>, order| {
        let _handler = Handler(shop.clone());
        pay(State(shop), order).await
    };
    let routes = Router::new()
        .route("/pay/{order}", get(handler))
        .with_state(shop.clone());
    let server =
        tokio::spawn(axum::serve(listener, routes).into_future());
    let mut client = TcpStream::connect(address).await?;
    let request = b"GET /pay/7 HTTP/1.1\r\nhost: shop\r\n\r\n";
    client.write_all(request).await?;
    shop.money_taken.notified().await;
    drop(client);
    shop.handler_gone.notified().await;
    shop.bank.notify_one();
    server.abort();
    // As at shutdown: first the server, then what its handlers began.
    stop(&shop, Duration::from_secs(10)).await;
    Ok(shop.written.load(Ordering::Relaxed))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    println!("paid: 1, written: {}", pay_and_go().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    const PANICS: u32 = 13;

    const FAILS: u32 = 14;

    pub fn trouble(order: u32) -> io::Result<()> {
        match order {
            PANICS => {
                std::panic::resume_unwind(Box::new("no such account"))
            }
            FAILS => Err(io::Error::other("the account is empty")),
            _ => Ok(()),
        }
    }

    const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

    #[tokio::test]
    async fn cancel_by_the_client_still_writes_the_order()
    -> io::Result<()> {
        assert_eq!(pay_and_go().await?, 1);
        Ok(())
    }

    /// Dropped at any poll, a payment that has started finishes.
    #[tokio::test(start_paused = true)]
    async fn cancel_finishes_and_frees_the_place() {
        hazards::at_every_poll(async |cancel| {
            let shop = Shop::new();
            shop.bank.notify_one();
            let paying = pay(State(shop.clone()), Path(7));
            cancel.run(paying).await;
            assert_eq!(stop(&shop, hazards::HOUR).await, 0);
            let begun = u32::from(cancel.polls() > 0);
            assert_eq!(shop.written.load(Ordering::Relaxed), begun);
            assert_eq!(shop.places.available_permits(), 4);
            hazards::no_task_left().await;
        })
        .await;
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in `drop`"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_limit_is_reported() {
        let work = async {
            let _guard = PanicsInDrop;
            std::future::pending().await
        };
        assert!(!finished(7, work).await);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_an_error_and_leaves_the_others() {
        for broken in hazards::some_panic(4) {
            let shop = Shop::new();
            let mut clients = JoinSet::new();
            for nth in 0..4 {
                let panics = broken.contains(&nth);
                let order = if panics { PANICS } else { 7 };
                clients.spawn(pay(State(shop.clone()), Path(order)));
            }
            tokio::task::yield_now().await;
            for _ in broken.len()..4 {
                shop.bank.notify_one();
                tokio::task::yield_now().await;
            }
            let answers = clients.join_all().await;
            let failed =
                answers.iter().filter(|it| **it == Err(FAILED));
            assert_eq!(failed.count(), broken.len());
            assert_eq!(shop.places.available_permits(), 4);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_bank_is_an_error() {
        let shop = Shop::new();
        let paid = pay(State(shop.clone()), Path(FAILS)).await;
        assert_eq!(paid, Err(FAILED));
        assert_eq!(shop.places.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_bank_is_an_error() {
        let shop = Shop::new();
        let paying = pay(State(shop.clone()), Path(7));
        let answer = hazards::within(hazards::HOUR, paying).await;
        assert_eq!(answer, Err(FAILED));
    }

    /// Clients that leave keep no payment from being counted.
    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_although_clients_leave() {
        let shop = Shop::new();
        let short = Duration::from_millis(1);
        for nth in 0..9 {
            let paying = pay(State(shop.clone()), Path(7));
            let answer = timeout(short, paying).await;
            let refused =
                answer == Ok(Err(StatusCode::SERVICE_UNAVAILABLE));
            assert_eq!(refused, nth >= 4);
        }
        assert_eq!(shop.payments.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_returns_and_counts_what_is_left() {
        let shop = Shop::new();
        let paying = tokio::spawn(pay(State(shop.clone()), Path(7)));
        tokio::task::yield_now().await;
        let short = Duration::from_secs(1);
        assert_eq!(stop(&shop, short).await, 1);
        shop.bank.notify_one();
        assert_eq!(stop(&shop, short).await, 0);
        assert_eq!(paying.await.expect("no panic"), Ok("paid"));
    }

    #[tokio::test(start_paused = true)]
    async fn again_pays_again_as_documented() {
        let shop = Shop::new();
        for _ in 0..2 {
            shop.bank.notify_one();
            let paid = pay(State(shop.clone()), Path(7)).await;
            assert_eq!(paid, Ok("paid"));
        }
        assert_eq!(shop.written.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_write_the_order() -> io::Result<()> {
        for _ in 0..20 {
            assert_eq!(pay_and_go().await?, 1);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bank_is_waited_for() {
        let shop = Shop::new();
        let paying = tokio::spawn(pay(State(shop.clone()), Path(7)));
        tokio::time::sleep(LONGEST - Duration::from_secs(1)).await;
        shop.bank.notify_one();
        assert_eq!(paying.await.expect("no panic"), Ok("paid"));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_the_payment_to_the_tracker() {
        let shop = Shop::new();
        let owner = tokio::spawn(pay(State(shop.clone()), Path(7)));
        tokio::task::yield_now().await;
        owner.abort();
        shop.bank.notify_one();
        assert_eq!(stop(&shop, hazards::HOUR).await, 0);
        assert_eq!(shop.written.load(Ordering::Relaxed), 1);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_payment_and_no_grace() {
        let shop = Shop::new();
        assert_eq!(stop(&shop, Duration::ZERO).await, 0);
    }
}
