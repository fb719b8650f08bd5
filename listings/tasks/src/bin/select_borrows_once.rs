//! Branches only receive; the arm changes the session.

use tokio::sync::mpsc;

// ANCHOR: next
struct Session {
    commands: mpsc::Receiver<u32>,
    replies: mpsc::Receiver<u32>,
    seen: Vec<u32>,
}

impl Session {
    /// Takes what comes first. Each branch borrows a field of its
    /// own. Arms run one at a time, and have the session to
    /// themselves.
    async fn next(&mut self) {
        tokio::select! {
            biased;
            command = self.commands.recv() => self.seen.extend(command),
            reply = self.replies.recv() => self.seen.extend(reply),
        }
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
    use super::*;

    async fn seen() -> Vec<u32> {
        let (command, commands) = mpsc::channel(1);
        let (reply, replies) = mpsc::channel(1);
        let mut session =
            Session { commands, replies, seen: Vec::new() };
        reply.try_send(7).expect("there is room for one");
        session.next().await;
        command.try_send(8).expect("there is room for one");
        session.next().await;
        session.seen
    }

    #[tokio::test]
    async fn both_are_seen() {
        assert_eq!(seen().await, [7, 8]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_are_seen_on_many_threads() {
        assert_eq!(tokio::spawn(seen()).await.ok(), Some(vec![7, 8]));
    }
}
