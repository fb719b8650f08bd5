//! Ask two mirrors, use the first answer, and drop the other call.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

// ANCHOR: fastest
use std::pin::pin;

/// Asks both mirrors, and returns the first answer. If one of them
/// fails, waits for the other. Put a `timeout` around this function,
/// because both mirrors may hang.
///
/// The slower call is dropped at its `.await`. Its mirror may still
/// handle the request.
///
/// # Errors
///
/// Both mirrors failed. The errors are in the order of occurrence.
async fn fastest(
    near: &Mirror,
    far: &Mirror,
) -> Result<&'static str, [Refused; 2]> {
    let mut near = pin!(near.fetch());
    let mut far = pin!(far.fetch());
    let (first, other) = tokio::select! {
        first = &mut near => (first, far),
        first = &mut far => (first, near),
    };
    match first {
        Ok(name) => Ok(name),
        Err(first) => other.await.map_err(|last| [first, last]),
    }
}
// ANCHOR_END: fastest

/// A server that holds the same files as others.
struct Mirror {
    name: &'static str,
    takes: Duration,
    is_up: bool,
    calls: AtomicU32,
}

#[derive(Debug, PartialEq)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: connection refused", self.0)
    }
}

impl std::error::Error for Refused {}

/// Prints a line when a call ends, in whatever way.
struct Call<'a>(&'a Mirror);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
        println!("the call to {} ends", self.0.name);
    }
}

impl Mirror {
    async fn fetch(&self) -> Result<&'static str, Refused> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let _call = Call(self);
        sleep(self.takes).await;
        if !self.is_up {
            return Err(Refused(self.name));
        }
        println!("{} answers", self.name);
        Ok(self.name)
    }
}

fn mirror(name: &'static str, millis: u64, is_up: bool) -> Mirror {
    let takes = Duration::from_millis(millis);
    Mirror { name, takes, is_up, calls: AtomicU32::new(0) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let near = mirror("near", 80, true);
    let far = mirror("far", 120, true);
    let start = Instant::now();
    match fastest(&near, &far).await {
        Ok(name) => {
            println!(
                "{name}, after {} ms",
                start.elapsed().as_millis()
            );
        }
        Err(both) => both.iter().for_each(|it| println!("{it}")),
    }
    sleep(Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::timeout;

    use super::*;

    fn calls(mirror: &Mirror) -> u32 {
        mirror.calls.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn slow_mirrors_lose() {
        let start = Instant::now();
        let near = mirror("near", 80, true);
        let far = mirror("far", 120, true);
        assert_eq!(fastest(&near, &far).await, Ok("near"));
        assert_eq!(fastest(&far, &near).await, Ok("near"));
        assert_eq!(start.elapsed(), Duration::from_millis(160));
        assert_eq!((calls(&near), calls(&far)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_quick_one_does_not_win() {
        let down = mirror("near", 5, false);
        let slow = mirror("far", 120, true);
        assert_eq!(fastest(&down, &slow).await, Ok("far"));
        assert_eq!(fastest(&slow, &down).await, Ok("far"));
        let both = fastest(&down, &mirror("far", 9, false)).await;
        assert_eq!(both, Err([Refused("near"), Refused("far")]));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_is_harmless_and_of_both_times_out() {
        let silent = mirror("near", u64::MAX >> 20, true);
        let up = mirror("far", 120, true);
        let name = within(HOUR, fastest(&silent, &up)).await;
        assert_eq!(name, Ok("far"));
        assert!(
            timeout(HOUR, fastest(&silent, &silent)).await.is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_both_calls() {
        at_every_poll(async |cancel| {
            let near = mirror("near", 80, true);
            let far = mirror("far", 80, true);
            cancel.run(fastest(&near, &far)).await;
            assert_eq!((calls(&near), calls(&far)), (0, 0));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_wait_for_the_slow_one() {
        let task = tokio::spawn(async {
            let near = mirror("near", 0, true);
            let far = mirror("far", 86_400_000, true);
            fastest(&near, &far).await
        });
        assert_eq!(task.await.expect("no panic"), Ok("near"));
    }

    #[tokio::test]
    async fn edges_of_two_that_are_ready_any_may_win() {
        let mut firsts = 0;
        for _ in 0..100 {
            firsts += tokio::select! {
                () = async {} => 1,
                () = async {} => 0,
            };
        }
        assert!((1..100).contains(&firsts), "{firsts}");
    }
}
