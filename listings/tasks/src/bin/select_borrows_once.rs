//! Branches only receive; the arm changes the session.

use tokio::sync::mpsc;

// ANCHOR: next
struct Session {
    commands: mpsc::Receiver<u32>,
    replies: mpsc::Receiver<u32>,
    seen: Vec<u32>,
}

impl Session {
    /// Takes the first message, or returns `false` when both queues are
    /// closed. Each branch borrows only one field. Only one arm runs,
    /// so it may use the whole session.
    ///
    /// Cancel safe: the branches only receive, and the arms don't
    /// wait.
    async fn next(&mut self) -> bool {
        tokio::select! {
            Some(command) = self.commands.recv() => {
                self.seen.push(command);
            }
            Some(reply) = self.replies.recv() => self.seen.push(reply),
            else => return false,
        }
        true
    }
}
// ANCHOR_END: next

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (command, commands) = mpsc::channel(1);
    let (reply, replies) = mpsc::channel(1);
    let mut session = Session { commands, replies, seen: Vec::new() };
    reply.try_send(7).expect("there is room for one");
    session.next().await;
    command.try_send(8).expect("there is room for one");
    session.next().await;
    println!("seen: {:?}", session.seen);
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    type Queue = mpsc::Sender<u32>;

    fn session() -> (Session, Queue, Queue) {
        let (command, commands) = mpsc::channel(8);
        let (reply, replies) = mpsc::channel(8);
        let session = Session { commands, replies, seen: Vec::new() };
        (session, command, reply)
    }

    #[tokio::test(start_paused = true)]
    async fn edges_closed_queues_end_the_loop() {
        let (mut session, command, reply) = session();
        reply.try_send(7).expect("there is room");
        drop(reply);
        command.try_send(8).expect("there is room");
        drop(command);
        within(HOUR, async { while session.next().await {} }).await;
        session.seen.sort();
        assert_eq!(session.seen, [7, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_nothing() {
        at_every_poll(async |cancel| {
            let (mut session, command, reply) = session();
            let send = async {
                tokio::task::yield_now().await;
                command.try_send(7).expect("there is room");
                tokio::task::yield_now().await;
                reply.try_send(8).expect("there is room");
            };
            let work = async {
                tokio::join!(send, async {
                    session.next().await;
                    session.next().await;
                })
            };
            let done = cancel.run(work).await.is_some();
            let queued = session.commands.len() + session.replies.len();
            let sent = 16 - command.capacity() - reply.capacity();
            assert_eq!(queued, sent);
            assert!(!done || session.seen.len() == 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_does_not_hold_the_other() {
        let (mut session, _command, reply) = session();
        for number in 0..5 {
            reply.try_send(number).expect("there is room");
            assert!(within(HOUR, session.next()).await);
        }
        assert_eq!(session.seen, [0, 1, 2, 3, 4]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_see_everything() {
        let (mut session, command, reply) = session();
        let seeing = tokio::spawn(async move {
            while session.next().await {}
            session.seen
        });
        let send = |queue: Queue| async move {
            for number in 0..100 {
                queue.send(number).await.expect("it is received");
            }
        };
        tokio::join!(send(command), send(reply));
        assert_eq!(seeing.await.expect("no panic").len(), 200);
    }
}
