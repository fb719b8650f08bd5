//! A paged API, as one stream: a page is fetched when it is needed.

// ANCHOR: all_orders
use std::collections::HashSet;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, timeout};

const LIMIT: Duration = Duration::from_secs(10);

/// All orders of a shop, page by page. A page is fetched when the
/// items of the page before it have been taken.
///
/// An error is the last item. It says from which page to continue. A
/// page whose next page has already been fetched is an error too.
fn all_orders(
    shop: &Shop,
) -> impl Stream<Item = Result<u32, PageError>> {
    let first = (Some(0), HashSet::new());
    stream::try_unfold(first, move |(cursor, mut fetched)| async move {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        fetched.insert(cursor);
        let page = timeout(LIMIT, shop.page(cursor)).await;
        let page = page
            .map_err(|_elapsed| ShopError::NoAnswer)
            .flatten()
            .and_then(|page| page.unless_its_next_is_in(&fetched))
            .map_err(|source| PageError { cursor, source })?;
        Ok(Some((page.orders, (page.next, fetched))))
    })
    .map_ok(|orders| stream::iter(orders).map(Ok))
    .try_flatten()
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("cannot fetch the page at {cursor}")]
struct PageError {
    cursor: u32,
    source: ShopError,
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

impl Page {
    fn unless_its_next_is_in(
        self,
        fetched: &HashSet<u32>,
    ) -> Result<Self, ShopError> {
        let circle = self.next.is_some_and(|it| fetched.contains(&it));
        if circle { Err(ShopError::Circle) } else { Ok(self) }
    }
}

/// Has nine orders, and returns two of them per call.
#[derive(Default)]
struct Shop {
    calls: AtomicU32,
    fails_at: Option<u32>,
    hangs_at: Option<u32>,
    /// The first page names the second one as its next page.
    next_of: Option<(u32, u32)>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum ShopError {
    #[error("the shop doesn't answer")]
    NoAnswer,
    #[error("the shop is closed")]
    Closed,
    #[error("the pages form a circle")]
    Circle,
}

impl Shop {
    async fn page(&self, cursor: u32) -> Result<Page, ShopError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        if self.fails_at == Some(cursor) {
            return Err(ShopError::Closed);
        }
        if self.hangs_at == Some(cursor) {
            std::future::pending::<()>().await;
        }
        let end = ORDERS.min(cursor + PER_PAGE);
        let orders = (cursor + 1..=end).collect();
        let next = (end < ORDERS).then_some(end);
        let next = match self.next_of {
            Some((page, back)) if page == cursor => Some(back),
            _ => next,
        };
        Ok(Page { orders, next })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), PageError> {
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

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test]
    async fn edges_no_page_too_many_is_fetched() {
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
    async fn edges_pages_that_form_a_circle() {
        // In the first case, a page is its own next page.
        for (cursor, back) in [(4, 4), (4, 2), (8, 0)] {
            let next_of = Some((cursor, back));
            let shop = Shop { next_of, ..Shop::default() };
            // Without the error, the stream would be endless.
            let orders = all_orders(&shop).take(20);
            let mut seen: Vec<_> = orders.collect().await;
            let source = ShopError::Circle;
            let expected = PageError { cursor, source };
            assert_eq!(seen.pop(), Some(Err(expected)));
            assert!(seen.into_iter().eq((1..=cursor).map(Ok)));
        }
    }

    #[tokio::test]
    async fn failure_says_from_which_page_to_continue() {
        for cursor in [0, 4, 8] {
            let fails_at = Some(cursor);
            let shop = Shop { fails_at, ..Shop::default() };
            let mut seen: Vec<_> = all_orders(&shop).collect().await;
            let source = ShopError::Closed;
            let expected = PageError { cursor, source };
            assert_eq!(seen.pop(), Some(Err(expected)));
            let seen: Vec<_> =
                seen.into_iter().filter_map(Result::ok).collect();
            assert!(seen.into_iter().eq(1..=cursor));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error_too() {
        let shop = Shop { hangs_at: Some(4), ..Shop::default() };
        let orders = all_orders(&shop).collect::<Vec<_>>();
        let seen = within(HOUR, orders).await;
        let source = ShopError::NoAnswer;
        let expected = PageError { cursor: 4, source };
        assert_eq!(seen.last(), Some(&Err(expected)));
        assert_eq!(seen.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_fetches_no_page_twice() {
        at_every_poll(async |cancel| {
            let shop = Shop::default();
            let mut orders = pin!(all_orders(&shop));
            let first = cancel.run(orders.next()).await;
            let rest = orders.count().await;
            assert_eq!(rest + usize::from(first.is_some()), 9);
            assert_eq!(shop.calls(), 5);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let count = tokio::spawn(async {
            all_orders(&Shop::default()).count().await
        });
        assert_eq!(count.await.expect("no panic"), 9);
    }
}
