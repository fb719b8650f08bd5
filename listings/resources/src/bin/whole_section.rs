//! All awaits first, and then one change without an `.await`.

use std::{io, sync::Mutex, time::Duration};

use tokio::time::{sleep, timeout};

// ANCHOR: add
struct Totals {
    orders: u32,
    euros: u32,
}

/// Cancel safe: there is no `.await` between the two changes. An error
/// is returned before both.
async fn add(totals: &Mutex<Totals>, order: u32) -> io::Result<()> {
    let euros = fetch_price(order).await?;
    let mut totals = totals.lock().expect("no panic in here");
    let sum = totals.euros.checked_add(euros);
    totals.euros = sum.ok_or(io::ErrorKind::InvalidData)?;
    totals.orders += 1;
    Ok(())
}
// ANCHOR_END: add

async fn fetch_price(order: u32) -> io::Result<u32> {
    sleep(Duration::from_secs(1)).await;
    match order {
        13 => panic!("a bug in the price of order 13"),
        99 => std::future::pending().await,
        0 => Err(io::Error::other("order 0 has no price")),
        77 => Ok(u32::MAX),
        _ => Ok(12),
    }
}

/// The second of two callers gives up.
async fn two_callers(totals: &Mutex<Totals>) -> io::Result<(u32, u32)> {
    add(totals, 1).await?;
    let patience = Duration::from_millis(300);
    if timeout(patience, add(totals, 2)).await.is_err() {
        println!("the second caller gave up");
    }
    let totals = totals.lock().expect("no panic in here");
    Ok((totals.orders, totals.euros))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let totals = Mutex::new(Totals { orders: 0, euros: 0 });
    let (orders, euros) = two_callers(&totals).await?;
    println!("orders: {orders}, euros: {euros}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::at_every_poll;
    use tokio::task::JoinSet;

    use super::*;

    fn totals() -> Mutex<Totals> {
        Mutex::new(Totals { orders: 0, euros: 0 })
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_between_the_changes() {
        let totals = two_callers(&totals()).await;
        assert_eq!(totals.ok(), Some((1, 12)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_adds_all_or_nothing() {
        at_every_poll(async |cancel| {
            let totals = totals();
            let added = cancel.run(add(&totals, 1)).await;
            let totals = totals.into_inner().expect("no panic");
            let orders = u32::from(added.is_some());
            assert_eq!(
                (totals.orders, totals.euros),
                (orders, 12 * orders)
            );
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_tasks_that_are_aborted() {
        let totals = Arc::new(totals());
        let mut tasks = JoinSet::new();
        for order in 0..20 {
            let totals = Arc::clone(&totals);
            tasks.spawn(async move { add(&totals, order).await });
        }
        // Some of them are dropped where they are.
        tasks.join_next().await;
        tasks.shutdown().await;
        let totals = totals.lock().expect("no panic in here");
        assert_eq!(totals.euros, 12 * totals.orders);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_adds_nothing() {
        let totals = Arc::new(totals());
        let task = Arc::clone(&totals);
        let panics = tokio::spawn(async move { add(&task, 13).await });
        assert!(panics.await.is_err());
        assert!(add(&totals, 1).await.is_ok());
        let totals = totals.lock().expect("no panic in here");
        assert_eq!((totals.orders, totals.euros), (1, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_holds_up_nobody() {
        let totals = totals();
        let mut silent = Box::pin(add(&totals, 99));
        assert!(futures::poll!(silent.as_mut()).is_pending());
        let totals = two_callers(&totals).await;
        assert_eq!(totals.ok(), Some((1, 12)));
    }

    /// An overflow would panic under the lock, or wrap.
    #[tokio::test(start_paused = true)]
    async fn edges_a_sum_that_is_too_large_adds_nothing() {
        let totals = totals();
        assert!(add(&totals, 1).await.is_ok());
        let error = add(&totals, 77).await.expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(add(&totals, 1).await.is_ok());
        let totals = totals.into_inner().expect("no panic");
        assert_eq!((totals.orders, totals.euros), (2, 24));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_adds_nothing() {
        let totals = totals();
        let error = add(&totals, 0).await.expect_err("no price");
        assert_eq!(error.to_string(), "order 0 has no price");
        let totals = totals.into_inner().expect("no panic");
        assert_eq!((totals.orders, totals.euros), (0, 0));
    }
}
