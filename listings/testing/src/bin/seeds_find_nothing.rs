//! Check and change are one call, so no seed sells the last item twice.

use std::{cell::RefCell, time::Duration};

use tokio::time::sleep;

/// A database whose calls take 0 to 4 ms each, as the seed decides.
struct Database {
    random: RefCell<fastrand::Rng>,
    left: RefCell<u32>,
    calls: RefCell<Vec<String>>,
}

impl Database {
    async fn call<T>(&self, name: &str, run: impl FnOnce() -> T) -> T {
        let delay = self.random.borrow_mut().u64(..5);
        sleep(Duration::from_millis(delay)).await;
        self.calls.borrow_mut().push(name.to_owned());
        run()
    }
}

// ANCHOR: buy
/// Checks and changes in one call, as one SQL statement can.
async fn buy(who: &str, database: &Database) -> bool {
    let take = format!("{who} buys");
    let change = || {
        let mut left = database.left.borrow_mut();
        let is_left = *left > 0;
        *left = left.saturating_sub(1);
        is_left
    };
    database.call(&take, change).await
}
// ANCHOR_END: buy

/// Returns how many items were sold, and the order of the calls.
async fn run(seed: u64) -> (usize, Vec<String>) {
    let database = Database {
        random: RefCell::new(fastrand::Rng::with_seed(seed)),
        left: RefCell::new(1),
        calls: RefCell::default(),
    };
    let (ann, ben) = tokio::join!(buy("Ann", &database), async {
        database.call("Ben comes", || ()).await;
        buy("Ben", &database).await
    },);
    let sold = usize::from(ann) + usize::from(ben);
    (sold, database.calls.into_inner())
}

/// Returns the seeds that sell the last item twice.
async fn sold_twice() -> Vec<u64> {
    let mut seeds = Vec::new();
    for seed in 0..1000 {
        if run(seed).await.0 > 1 {
            seeds.push(seed);
        }
    }
    seeds
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let seeds = sold_twice().await;
    println!("sold twice with {} seeds of 1000", seeds.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_and_how_often_it_is_sold() {
        assert_eq!(sold_twice().await, Vec::<u64>::new());
        for seed in 0..1000 {
            assert_eq!(run(seed).await.0, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_has_bought_or_has_not() {
        hazards::at_every_poll(async |cancel| {
            let database = Database {
                random: RefCell::new(fastrand::Rng::with_seed(1)),
                left: RefCell::new(1),
                calls: RefCell::default(),
            };
            let bought = cancel.run(buy("Ann", &database)).await;
            let sold = usize::from(bought == Some(true));
            assert_eq!(*database.left.borrow(), 1 - sold as u32);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ten_buyers_and_three_left() {
        for seed in 0..100 {
            let database = Database {
                random: RefCell::new(fastrand::Rng::with_seed(seed)),
                left: RefCell::new(3),
                calls: RefCell::default(),
            };
            let buyers = (0..10).map(|_| buy("somebody", &database));
            let sold = futures::future::join_all(buyers).await;
            assert_eq!(sold.iter().filter(|sold| **sold).count(), 3);
        }
    }
}
