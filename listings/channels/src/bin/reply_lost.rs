//! Wrong: `send` returned `Ok`, which isn't proof of delivery.

// ANCHOR: wrong
use tokio::{sync::oneshot, task::yield_now};

/// Gives the seat to the guest who asked. Returns whether it's taken.
fn give_seat(answer: oneshot::Sender<Seat>) -> bool {
    // Wrong: `Ok` means that the receiver existed, not that anyone
    // has read the answer.
    answer.send(Seat(14)).is_ok()
}

/// Leaves at the very moment when the answer comes.
async fn leave_early(seat: oneshot::Receiver<Seat>) {
    yield_now().await;
    drop(seat);
}
// ANCHOR_END: wrong

struct Seat(u32);

impl Drop for Seat {
    fn drop(&mut self) {
        println!("seat {} is free again", self.0);
    }
}

async fn run() -> bool {
    let (answer, seat) = oneshot::channel();
    let (taken, ()) =
        tokio::join!(async { give_seat(answer) }, leave_early(seat));
    taken
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let taken = run().await;
    println!("in the books, it is taken: {taken}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cancel_between_the_answer_and_its_reading() {
        assert!(run().await);
    }
}
