//! A paged API, as one stream: a page is fetched when it is needed.

// ANCHOR: all_orders
use futures::{Stream, StreamExt, TryStreamExt, stream};

/// All orders of a shop, page by page. A page is fetched when the
/// items of the one before have been taken. It ends at an error.
fn all_orders(
    shop: &Shop,
) -> impl Stream<Item = Result<u32, ShopError>> {
    stream::try_unfold(Some(0), move |cursor| async move {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let page = shop.page(cursor).await?;
        Ok(Some((page.orders, page.next)))
    })
    .map_ok(|orders| stream::iter(orders).map(Ok))
    .try_flatten()
}
// ANCHOR_END: all_orders

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::yield_now;

const ORDERS: u32 = 9;
const PER_PAGE: u32 = 2;

struct Page {
    orders: Vec<u32>,
    next: Option<u32>,
}

/// Has nine orders, of which it gives two for each call.
#[derive(Default)]
struct Shop {
    calls: AtomicU32,
    fails_at: Option<u32>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the shop does not answer")]
struct ShopError;

impl Shop {
    async fn page(&self, cursor: u32) -> Result<Page, ShopError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        if self.fails_at == Some(cursor) {
            return Err(ShopError);
        }
        let end = ORDERS.min(cursor + PER_PAGE);
        let orders = (cursor + 1..=end).collect();
        Ok(Page { orders, next: (end < ORDERS).then_some(end) })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), ShopError> {
    let shop = Shop::default();
    let first: Vec<_> = all_orders(&shop).take(3).try_collect().await?;
    println!("{first:?}, {} pages", shop.calls());

    let shop = Shop::default();
    let all: Vec<_> = all_orders(&shop).try_collect().await?;
    println!("{all:?}, {} pages", shop.calls());
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn no_page_too_many_is_fetched() {
        for (taken, pages) in
            [(0, 0), (1, 1), (2, 1), (3, 2), (9, 5), (20, 5)]
        {
            let shop = Shop::default();
            let orders = all_orders(&shop).take(taken);
            assert!(orders.try_collect::<Vec<_>>().await.is_ok());
            assert_eq!(shop.calls(), pages, "for {taken}");
        }
    }

    #[tokio::test]
    async fn it_ends_at_an_error() {
        let shop = Shop { fails_at: Some(4), ..Shop::default() };
        let seen: Vec<_> = all_orders(&shop).collect().await;
        let expected = [Ok(1), Ok(2), Ok(3), Ok(4), Err(ShopError)];
        assert_eq!(seen, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_next_fetches_nothing_twice() {
        let shop = Shop::default();
        let mut orders = pin!(all_orders(&shop));
        assert!(futures::poll!(orders.next()).is_pending());
        let rest: Vec<_> = orders.collect().await;
        assert_eq!(rest.len(), 9);
        assert_eq!(shop.calls(), 5);
    }
}
