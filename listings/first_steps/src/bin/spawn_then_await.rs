//! Spawn every task before you await the first one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

// ANCHOR: temperatures
use tokio::{task::JoinSet, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// In the order of the cities. Dropping this future aborts the tasks.
async fn temperatures(
    cities: &[&'static str],
) -> anyhow::Result<Vec<i32>> {
    let mut calls = Vec::new();
    for &city in cities {
        let call = timeout(PATIENCE, temperature_of(city));
        calls.push(AbortOnDropHandle::new(tokio::spawn(call)));
    }
    let mut temperatures = Vec::new();
    for call in calls {
        temperatures.push(call.await??);
    }
    Ok(temperatures)
}

/// In the order in which the answers arrive. The set owns its tasks.
async fn as_they_arrive(
    cities: &[&'static str],
) -> anyhow::Result<Vec<i32>> {
    let mut calls = JoinSet::new();
    for &city in cities {
        calls.spawn(timeout(PATIENCE, temperature_of(city)));
    }
    let mut temperatures = Vec::new();
    while let Some(call) = calls.join_next().await {
        temperatures.push(call??);
    }
    Ok(temperatures)
}
// ANCHOR_END: temperatures

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a weather service.
async fn temperature_of(city: &'static str) -> i32 {
    let (millis, degrees) = match city {
        "Rome" => (100, 21),
        "Oslo" => (50, 5),
        "Atlantis" => (u64::MAX, 0),
        "" => panic!("a city without a name"),
        _ => (100, 12),
    };
    sleep(Duration::from_millis(millis)).await;
    degrees
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let cities = ["Rome", "Oslo", "Paris"];
    let all = temperatures(&cities).await?;
    println!("{:>4} ms  {all:?}", start.elapsed().as_millis());

    let start = Instant::now();
    let all = as_they_arrive(&cities).await?;
    println!("{:>4} ms  {all:?}", start.elapsed().as_millis());
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);

    /// What both functions return.
    async fn both(
        cities: &[&'static str],
    ) -> [anyhow::Result<Vec<i32>>; 2] {
        [temperatures(cities).await, as_they_arrive(cities).await]
    }

    #[tokio::test(start_paused = true)]
    async fn slow_calls_wait_for_the_same_time() {
        let cities = ["Rome", "Oslo", "Paris"];
        let start = Instant::now();
        let all = temperatures(&cities).await;
        assert_eq!(all.ok(), Some(vec![21, 5, 12]));
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        let all = as_they_arrive(&cities).await;
        assert_eq!(all.ok(), Some(vec![5, 21, 12]));
        assert_eq!(start.elapsed(), Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_service_is_limited() {
        let work = both(&["Rome", "Atlantis", "Oslo"]);
        for all in within(HOUR, work).await {
            let error = all.expect_err("one hangs").to_string();
            assert_eq!(error, "deadline has elapsed");
        }
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_returned_and_the_others_are_aborted() {
        for panics in some_panic(5) {
            let cities: Vec<_> = (0..5)
                .map(|n| if panics.contains(&n) { "" } else { "Rome" })
                .collect();
            for all in within(HOUR, both(&cities)).await {
                let error = all.expect_err("it panics").to_string();
                assert!(error.contains("without a name"), "{error}");
            }
            within(MOMENT, no_task_left()).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(both(&["Rome", "Oslo", "Paris"])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_city_and_one_twice() {
        for all in both(&[]).await {
            assert_eq!(all.ok(), Some(vec![]));
        }
        for all in both(&["Rome", "Rome"]).await {
            assert_eq!(all.ok(), Some(vec![21, 21]));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let cities: Vec<_> =
            ["Rome", "Oslo"].into_iter().cycle().take(100).collect();
        let all = temperatures(&cities).await.unwrap_or_default();
        assert_eq!(all.len(), 100);
        assert!(all.chunks(2).all(|pair| pair == [21, 5]));
        let mut all = as_they_arrive(&cities).await.unwrap_or_default();
        all.sort();
        assert_eq!(all, [[5; 50], [21; 50]].concat());
    }
}
