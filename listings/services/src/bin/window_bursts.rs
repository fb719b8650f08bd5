//! A fixed window lets almost twice its limit through within a moment,
//! at the end of one window and the start of the next.

// ANCHOR: window
use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep};
use tower::{
    Service, ServiceExt, limit::RateLimit, limit::rate::Rate,
    service_fn,
};

/// Five calls a second, by tower's `RateLimit`. Its window starts with
/// the first call. Returns when each call started.
async fn calls() -> Result<Vec<Duration>, Infallible> {
    let start = Instant::now();
    let look_up = service_fn(async |_place: u32| {
        Ok::<_, Infallible>(start.elapsed())
    });
    let rate = Rate::new(5, Duration::from_secs(1));
    let mut maps = RateLimit::new(look_up, rate);

    let mut started = Vec::new();
    started.push(maps.ready().await?.call(0).await?);
    sleep(Duration::from_millis(950)).await;
    for place in 1..12 {
        // When the window is used up, `ready` waits for the next one.
        started.push(maps.ready().await?.call(place).await?);
    }
    Ok(started)
}
// ANCHOR_END: window

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let Ok(started) = calls().await;
    for at in &started {
        print!("{} ", at.as_millis());
    }
    let moment =
        Duration::from_millis(900)..Duration::from_millis(1100);
    let most = started.iter().filter(|at| moment.contains(*at)).count();
    println!("ms\nfrom 900 ms to 1100 ms: {most} calls");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nine_calls_at_the_border() {
        let Ok(started) = calls().await;
        let at: Vec<_> =
            started.iter().map(|at| at.as_millis()).collect();
        assert_eq!(at[..5], [0, 950, 950, 950, 950]);
        assert!(at[5..10].iter().all(|at| (1000..1002).contains(at)));
        assert!(at[10..].iter().all(|at| (2000..2003).contains(at)));
    }
}
