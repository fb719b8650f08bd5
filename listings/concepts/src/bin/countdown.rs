//! A hand-written future that is ready on the third poll.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

// ANCHOR: countdown
/// Counts down to zero, one step per poll.
struct Countdown {
    left: u32,
}

impl Future for Countdown {
    type Output = &'static str;

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Self::Output> {
        println!("polled, {} left", self.left);
        if self.left == 0 {
            return Poll::Ready("liftoff");
        }
        self.left -= 1;
        // There are steps left, so ask to be polled again.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
// ANCHOR_END: countdown

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let countdown = Countdown { left: 2 };
    println!("created");
    println!("{}", countdown.await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_at_zero() {
        assert_eq!(Countdown { left: 3 }.await, "liftoff");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_in_a_task() {
        let task = tokio::spawn(Countdown { left: 100 });
        assert_eq!(task.await.expect("it does not panic"), "liftoff");
    }
}
