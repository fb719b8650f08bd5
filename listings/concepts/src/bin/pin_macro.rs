//! Pinned where it is, a stream and a future can be polled.

use std::{pin::pin, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::sleep;

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mut pages = pin!(stream::unfold(1, async |page| {
        sleep(Duration::from_millis(10)).await;
        (page <= 3).then_some((page, page + 1))
    }));
    let mut limit = pin!(sleep(Duration::from_millis(25)));
    loop {
        tokio::select! {
            biased;
            () = &mut limit => break println!("the time is up"),
            page = pages.next() => match page {
                Some(page) => println!("page {page}"),
                None => break,
            },
        }
    }
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_pinned_future_goes_on_where_it_was() {
        let mut wait = pin!(tokio::task::yield_now());
        let first = futures::poll!(&mut wait);
        assert!(first.is_pending());
        wait.await;
    }
}
