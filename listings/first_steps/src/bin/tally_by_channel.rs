//! The tasks send what they found, and one function owns the list.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: channel
use tokio::sync::mpsc;

/// Returns the warm cities in the order of their answers, or the error
/// of a task after all tasks have finished.
async fn warm_cities(
    cities: &[&'static str],
) -> Result<Vec<&'static str>> {
    let (found, mut all) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    for &city in cities {
        let found = found.clone();
        tasks.spawn(async move {
            if temperature_of(city).await? > 15 {
                found.send(city).await?;
            }
            anyhow::Ok(())
        });
    }
    // Only the tasks can send now, so `recv` ends when they end.
    drop(found);
    let mut warm = Vec::new();
    while let Some(city) = all.recv().await {
        warm.push(city);
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(warm)
}
// ANCHOR_END: channel

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

    #[tokio::test(start_paused = true)]
    async fn slow_reader_and_more_cities_than_places() {
        let cities = ["Rome"; 100];
        let warm = within(HOUR, warm_cities(&cities)).await;
        assert_eq!(warm.ok().map(|warm| warm.len()), Some(100));
    }
}
