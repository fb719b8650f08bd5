//! Wrong: every task changes its own copy of the list.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: wrong
/// Wrong: the tasks push into clones, which are dropped with them.
async fn warm_cities(cities: &[&'static str]) -> Vec<&'static str> {
    let warm = Vec::new();
    let mut tasks = JoinSet::new();
    for &city in cities {
        let mut warm = warm.clone();
        tasks.spawn(async move {
            if temperature_of(city).await > 15 {
                warm.push(city);
            }
        });
    }
    tasks.join_all().await;
    warm
}
// ANCHOR_END: wrong

/// Asks a weather service.
async fn temperature_of(city: &'static str) -> i32 {
    sleep(Duration::from_millis(100)).await;
    if city == "Oslo" { 5 } else { 21 }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let warm = warm_cities(&["Rome", "Oslo", "Paris"]).await;
    println!("warm: {warm:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_add_to_one_list() {
        // They don't: each task adds to its own.
        let warm = warm_cities(&["Rome", "Oslo", "Paris"]).await;
        assert!(warm.is_empty());
    }
}
