//! The first tests of async code: with real time, with a paused clock, and with a question mark.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: brew
#[derive(Debug, PartialEq)]
struct TooStrong;

async fn brew(time: Duration) -> Result<&'static str, TooStrong> {
    sleep(time).await;
    match time.as_secs() {
        0..=300 => Ok("tea"),
        _ => Err(TooStrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_moment_makes_tea() -> Result<(), TooStrong> {
        assert_eq!(brew(Duration::from_millis(1)).await?, "tea");
        Ok(())
    }

    /// Takes no real time, because the clock is paused.
    #[tokio::test(start_paused = true)]
    async fn an_hour_is_too_long() {
        let hour = Duration::from_secs(3600);
        assert_eq!(brew(hour).await, Err(TooStrong));
    }
}
// ANCHOR_END: brew

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", brew(Duration::from_secs(180)).await);
}
