//! Wrong: the loop awaits each task before it spawns the next one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

// ANCHOR: wrong
/// Wrong: a task runs while this function waits for it, but only one
/// task at a time.
async fn temperatures(
    cities: &[&'static str],
) -> anyhow::Result<Vec<i32>> {
    let mut temperatures = Vec::new();
    for &city in cities {
        let call = tokio::spawn(temperature_of(city));
        temperatures.push(call.await?);
    }
    Ok(temperatures)
}
// ANCHOR_END: wrong

/// Asks a weather service.
async fn temperature_of(city: &'static str) -> i32 {
    sleep(Duration::from_millis(100)).await;
    match city {
        "Rome" => 21,
        "Oslo" => 5,
        _ => 12,
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let all = temperatures(&["Rome", "Oslo", "Paris"]).await?;
    println!("{:>4} ms  {all:?}", start.elapsed().as_millis());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_calls_wait_for_the_same_time() {
        // They don't: each one waits after the one before it.
        let start = Instant::now();
        let cities = ["Rome", "Oslo", "Paris"];
        let all = temperatures(&cities).await;
        assert_eq!(all.ok(), Some(vec![21, 5, 12]));
        assert_eq!(start.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_calls_of_a_lazy_iterator_do_not_either() {
        let start = Instant::now();
        let cities = ["Rome", "Oslo", "Paris"];
        let calls = cities
            .into_iter()
            .map(|city| tokio::spawn(temperature_of(city)));
        for call in calls {
            assert!(call.await.is_ok());
        }
        assert_eq!(start.elapsed(), Duration::from_millis(300));
    }
}
