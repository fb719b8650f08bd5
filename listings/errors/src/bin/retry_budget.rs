//! A retry budget limits retries to a fifth of the requests.
//! Without it, a peer that is down gets five times as many calls.

// ANCHOR: budget
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One peer's budget, shared by all requests to the peer.
struct Budget(AtomicU32);

impl Budget {
    /// Each request pays in one unit, and each retry costs five.
    const RETRY: u32 = 5;
    /// At most ten retries are saved up, for a short outage.
    const MOST: u32 = 10 * Self::RETRY;

    fn full() -> Self {
        Self(AtomicU32::new(Self::MOST))
    }

    fn request(&self) {
        let paid = |left: u32| (left < Self::MOST).then_some(left + 1);
        // Fails if the budget is already full.
        let _ = self.0.fetch_update(Relaxed, Relaxed, paid);
    }

    /// Takes one retry out of the budget, if there is one.
    fn retry(&self) -> bool {
        let cost = |left: u32| left.checked_sub(Self::RETRY);
        self.0.fetch_update(Relaxed, Relaxed, cost).is_ok()
    }
}

/// Up to five tries, if the budget allows. If a retry is dropped, its
/// cost is lost until later requests pay it in again.
async fn ask(budget: &Budget, peer: &Peer) -> Result<(), Down> {
    budget.request();
    for _ in 1..5 {
        match peer.call().await {
            Err(Down) if budget.retry() => pause().await,
            ended => return ended,
        }
    }
    peer.call().await
}
// ANCHOR_END: budget

#[derive(Debug, PartialEq)]
struct Down;

/// A real program would use a backoff here.
async fn pause() {
    tokio::task::yield_now().await;
}

/// A peer that counts its calls.
struct Peer {
    calls: AtomicU32,
    is_up: bool,
}

impl Peer {
    async fn call(&self) -> Result<(), Down> {
        self.calls.fetch_add(1, Relaxed);
        if self.is_up { Ok(()) } else { Err(Down) }
    }
}

/// How many calls a peer that is down gets from this many requests.
async fn calls(budgets: impl Fn() -> bool, requests: u32) -> u32 {
    let peer = Peer { calls: AtomicU32::new(0), is_up: false };
    let shared = Budget::full();
    for _ in 0..requests {
        // Without a budget: each request has a full one.
        let own = Budget::full();
        let budget = if budgets() { &shared } else { &own };
        assert_eq!(ask(budget, &peer).await, Err(Down));
    }
    peer.calls.into_inner()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let requests = 1000;
    println!("a peer is down, and {requests} requests need it");
    let without = calls(|| false, requests).await;
    println!("five tries each:      {without} calls");
    let with = calls(|| true, requests).await;
    println!("with a shared budget: {with} calls");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn failure_of_all_costs_a_fifth_more() {
        assert_eq!(calls(|| false, 1000).await, 5000);
        let with = calls(|| true, 1000).await;
        assert!((1200..=1210).contains(&with), "{with}");
    }

    #[tokio::test]
    async fn edges_a_peer_that_is_up_keeps_the_budget_full() {
        let peer = Peer { calls: AtomicU32::new(0), is_up: true };
        let budget = Budget::full();
        for _ in 0..100 {
            assert_eq!(ask(&budget, &peer).await, Ok(()));
        }
        assert_eq!(budget.0.into_inner(), Budget::MOST);
        assert_eq!(peer.calls.into_inner(), 100);
    }

    #[tokio::test]
    async fn cancel_never_pays_back_more_than_was_taken() {
        hazards::at_every_poll(async |cancel| {
            let peer = Peer { calls: AtomicU32::new(0), is_up: false };
            let budget = Budget::full();
            cancel.run(ask(&budget, &peer)).await;
            let taken = Budget::MOST - budget.0.into_inner();
            let calls = peer.calls.into_inner();
            assert!(taken >= Budget::RETRY * calls.saturating_sub(1));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_overdraw_nothing() {
        let peer = Peer { calls: AtomicU32::new(0), is_up: false };
        let shared = Arc::new((Budget::full(), peer));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { ask(&shared.0, &shared.1).await });
        }
        for asked in tasks.join_all().await {
            assert_eq!(asked, Err(Down));
        }
        let calls = shared.1.calls.load(Relaxed);
        assert!(calls <= 1000 + 200 + 10, "{calls}");
    }
}
