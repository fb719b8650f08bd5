//! All tasks add to one list, in an `Arc` of a mutex.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: shared
use std::sync::{Arc, Mutex};

/// Returns the warm cities in the order of their answers. The first
/// error stops the other tasks.
async fn warm_cities(
    cities: &[&'static str],
) -> Result<Vec<&'static str>> {
    let warm = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for &city in cities {
        // Another handle to the same list.
        let warm = Arc::clone(&warm);
        tasks.spawn(async move {
            // Await first, and lock afterward.
            if temperature_of(city).await? > 15 {
                warm.lock().expect("no panic in here").push(city);
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let warm = warm.lock().expect("no panic in here");
    Ok(warm.clone())
}
// ANCHOR_END: shared

/// Asks a weather service, for at most five seconds.
async fn temperature_of(city: &'static str) -> Result<i32> {
    let limit = Duration::from_secs(5);
    let answer = timeout(limit, ask(city)).await;
    answer.with_context(|| format!("no answer for {city}"))
}

async fn ask(city: &'static str) -> i32 {
    assert!(!city.is_empty(), "a city needs a name");
    sleep(Duration::from_millis(100)).await;
    match city {
        "Atlantis" => std::future::pending().await,
        "Oslo" => 5,
        _ => 21,
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let warm = warm_cities(&["Rome", "Oslo", "Paris"]).await?;
    println!("warm: {warm:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_add_to_one_list() -> Result<()> {
        let cities: Vec<_> =
            ["Rome", "Oslo"].into_iter().cycle().take(100).collect();
        assert_eq!(warm_cities(&cities).await?, ["Rome"; 50]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_service_is_limited() {
        let cities = ["Atlantis", "Rome"];
        let warm = within(HOUR, warm_cities(&cities)).await;
        let error = warm.expect_err("one service is silent");
        assert_eq!(error.to_string(), "no answer for Atlantis");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_all_is_returned() {
        let cities = ["Atlantis", "Atlantis"];
        let warm = within(HOUR, warm_cities(&cities)).await;
        assert!(warm.is_err());
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_returned() {
        for panics in some_panic(5) {
            let cities: Vec<_> = (0..5)
                .map(|n| if panics.contains(&n) { "" } else { "Rome" })
                .collect();
            let warm = within(HOUR, warm_cities(&cities)).await;
            let error = warm.expect_err("a task panics").to_string();
            assert!(error.contains("a city needs a name"), "{error}");
            within(MOMENT, no_task_left()).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let cities = ["Rome", "Oslo", "Paris"];
            cancel.run(warm_cities(&cities)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_city_and_one_twice() -> Result<()> {
        assert!(warm_cities(&[]).await?.is_empty());
        let twice = warm_cities(&["Rome", "Rome"]).await?;
        assert_eq!(twice, ["Rome", "Rome"]);
        Ok(())
    }
}
