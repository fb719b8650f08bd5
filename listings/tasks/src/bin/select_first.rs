//! Ask two mirrors, take the first answer, drop the other call.

use std::time::Duration;

use tokio::time::{Instant, sleep};

// ANCHOR: fastest
/// Asks both mirrors, and returns which one answered first.
///
/// The other call is dropped where it stands: it costs nothing more
/// here. What the mirror does with it is the mirror's business.
async fn fastest(near: &Mirror, far: &Mirror) -> &'static str {
    tokio::select! {
        name = near.fetch() => name,
        name = far.fetch() => name,
    }
}
// ANCHOR_END: fastest

/// A server that holds the same files as others.
struct Mirror {
    name: &'static str,
    takes: Duration,
}

/// Tells when a call ends, however it does.
struct Call(&'static str);

impl Drop for Call {
    fn drop(&mut self) {
        println!("the call to {} ends", self.0);
    }
}

impl Mirror {
    async fn fetch(&self) -> &'static str {
        let _call = Call(self.name);
        sleep(self.takes).await;
        println!("{} answers", self.name);
        self.name
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mirror = |name, millis| Mirror {
        name,
        takes: Duration::from_millis(millis),
    };
    let (near, far) = (mirror("near", 80), mirror("far", 120));
    let start = Instant::now();
    let name = fastest(&near, &far).await;
    println!("{name}, after {} ms", start.elapsed().as_millis());
    sleep(Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(name: &'static str, millis: u64) -> Mirror {
        Mirror { name, takes: Duration::from_millis(millis) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_wins() {
        let start = Instant::now();
        let (near, far) = (mirror("near", 80), mirror("far", 120));
        assert_eq!(fastest(&near, &far).await, "near");
        assert_eq!(fastest(&far, &near).await, "near");
        assert_eq!(start.elapsed(), Duration::from_millis(160));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_for_the_slow_one() {
        let (near, far) =
            (mirror("near", 0), mirror("far", 86_400_000));
        assert_eq!(fastest(&near, &far).await, "near");
    }

    #[tokio::test]
    async fn of_two_that_are_ready_any_may_win() {
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
