//! Wrong: with some seeds, the last item is sold twice.

use std::{cell::RefCell, time::Duration};

use tokio::time::sleep;

// ANCHOR: wrong
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

/// Wrong: between the two calls, another customer may buy.
async fn buy(who: &str, database: &Database) -> bool {
    let look = format!("{who} looks");
    let left = database.call(&look, || *database.left.borrow()).await;
    if left == 0 {
        return false;
    }
    let take = format!("{who} buys");
    let change = || *database.left.borrow_mut() = left - 1;
    database.call(&take, change).await;
    true
}
// ANCHOR_END: wrong

// ANCHOR: seeds
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
// ANCHOR_END: seeds

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let seeds = sold_twice().await;
    println!("sold twice with {} seeds of 1000", seeds.len());
    if let Some(seed) = seeds.first() {
        let (_, calls) = run(*seed).await;
        println!("seed {seed}: {}", calls.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_and_how_often_it_is_sold() {
        let seeds = sold_twice().await;
        assert!((1..1000).contains(&seeds.len()));
        // The same seed is the same run.
        assert_eq!(run(seeds[0]).await, run(seeds[0]).await);
    }
}
