//! Bound the bytes in a queue, not only the messages.

// ANCHOR: queue
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

const MOST_BYTES: u32 = 1000;

struct Upload {
    /// A `Vec` could hold more memory than its length says.
    bytes: Box<[u8]>,
    /// The room is released when the upload is dropped.
    _room: OwnedSemaphorePermit,
}

#[derive(Debug, PartialEq)]
enum NotSent {
    /// It's larger than the whole queue, so it would wait forever.
    TooLarge(Box<[u8]>),
    /// The receiver was dropped.
    Closed(Box<[u8]>),
}

/// Waits for room, first come, first served. If it's canceled, the
/// bytes are dropped without being sent.
async fn send(
    queue: &mpsc::Sender<Upload>,
    room: &Arc<Semaphore>,
    bytes: Box<[u8]>,
) -> Result<(), NotSent> {
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if size > MOST_BYTES {
        return Err(NotSent::TooLarge(bytes));
    }
    let room = Arc::clone(room).acquire_many_owned(size).await;
    let _room = room.expect("nobody closes it");
    let sent = queue.send(Upload { bytes, _room }).await;
    sent.map_err(|error| NotSent::Closed(error.0.bytes))
}
// ANCHOR_END: queue

use tokio::time::{Duration, Instant, sleep};

/// A queue with room for eight uploads and a thousand bytes.
fn start()
-> (mpsc::Sender<Upload>, mpsc::Receiver<Upload>, Arc<Semaphore>) {
    let (queue, uploads) = mpsc::channel(8);
    let room = Semaphore::new(MOST_BYTES as usize);
    (queue, uploads, Arc::new(room))
}

fn zeros(size: usize) -> Box<[u8]> {
    vec![0; size].into_boxed_slice()
}

async fn run() {
    let (queue, mut uploads, room) = start();
    let start = Instant::now();
    let store = async {
        while let Some(upload) = uploads.recv().await {
            sleep(Duration::from_millis(100)).await;
            drop(upload);
        }
    };
    let send_all = async {
        for size in [400, 400, 400, 1000, 1001] {
            let sent = send(&queue, &room, zeros(size)).await;
            let at = start.elapsed().as_millis();
            match sent {
                Ok(()) => println!("{at:>3} ms  {size:>4} bytes"),
                Err(_) => println!("{at:>3} ms  {size:>4} refused"),
            }
        }
        drop(queue);
    };
    tokio::join!(store, send_all);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    run().await;
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_never_holds_more_bytes_than_there_is_room_for() {
        let (queue, mut uploads, room) = start();
        let sends = (0..20).map(|_| send(&queue, &room, zeros(300)));
        let read = async {
            for _ in 0..20 {
                sleep(Duration::from_secs(1)).await;
                assert!(uploads.len() <= 3);
                uploads.recv().await.expect("it's open");
            }
        };
        let all = async { tokio::join!(join_all(sends), read).0 };
        let sent = within(HOUR, all).await;
        assert!(sent.iter().all(Result::is_ok));
        assert_eq!(room.available_permits(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_byte_all_bytes_and_one_more() {
        let (queue, mut uploads, room) = start();
        for size in [0, 1, 1000] {
            let bytes = vec![7; size].into_boxed_slice();
            assert_eq!(send(&queue, &room, bytes).await, Ok(()));
            let upload = uploads.recv().await.expect("it's open");
            assert_eq!(upload.bytes.len(), size);
        }
        let large: Box<[u8]> = Box::from([7; 1001]);
        let sent = send(&queue, &room, large.clone()).now_or_never();
        assert_eq!(sent, Some(Err(NotSent::TooLarge(large))));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_room_back() {
        at_every_poll(async |cancel| {
            let (queue, mut uploads, room) = start();
            let busy = send(&queue, &room, zeros(800)).await;
            assert!(busy.is_ok());
            let read = async {
                sleep(Duration::from_secs(1)).await;
                drop(uploads.recv().await);
            };
            let one = cancel.run(send(&queue, &room, zeros(800)));
            let (sent, ()) = tokio::join!(one, read);
            assert_eq!(uploads.try_recv().is_ok(), sent.is_some());
            assert_eq!(room.available_permits(), 1000);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_storing_makes_the_sender_wait() {
        let (queue, uploads, room) = start();
        assert!(send(&queue, &room, zeros(800)).await.is_ok());
        let next = send(&queue, &room, zeros(800));
        assert!(tokio::time::timeout(HOUR, next).await.is_err());
        drop(uploads);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_gives_the_bytes_back() {
        let (queue, uploads, room) = start();
        assert!(send(&queue, &room, zeros(800)).await.is_ok());
        let waits = send(&queue, &room, Box::from([7; 800]));
        let leave = async {
            sleep(Duration::from_secs(1)).await;
            drop(uploads);
        };
        let both = async { tokio::join!(waits, leave).0 };
        let sent = within(HOUR, both).await;
        assert_eq!(sent, Err(NotSent::Closed(Box::from([7; 800]))));
        assert_eq!(room.available_permits(), 1000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_deliver_every_byte() {
        let (queue, mut uploads, room) = start();
        let mut tasks = tokio::task::JoinSet::new();
        for size in 0..200 {
            let (queue, room) = (queue.clone(), Arc::clone(&room));
            tasks.spawn(async move {
                send(&queue, &room, zeros(size)).await
            });
        }
        drop(queue);
        let mut bytes = 0;
        while let Some(upload) = uploads.recv().await {
            bytes += upload.bytes.len();
        }
        assert_eq!(bytes, 199 * 200 / 2);
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
    }
}
