//! Wrong: `send` returned `Ok`, and that is taken for a delivery.

// ANCHOR: wrong
use tokio::{sync::oneshot, task::yield_now};

/// Gives the seat to whoever asked. Returns whether it is taken.
fn give_seat(answer: oneshot::Sender<Seat>) -> bool {
    // Wrong: `Ok` means that the other end was there, and not that
    // anyone has read it.
    answer.send(Seat(14)).is_ok()
}

/// Waits for a seat, and leaves in the very moment when it comes.
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
    async fn ok_is_no_delivery() {
        assert!(run().await);
    }
}
