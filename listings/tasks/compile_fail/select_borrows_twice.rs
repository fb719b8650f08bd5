//! Wrong: two branches borrow the same session, to change it.

use tokio::sync::mpsc;

struct Session {
    commands: mpsc::Receiver<u32>,
    replies: mpsc::Receiver<u32>,
    seen: Vec<u32>,
}

impl Session {
    async fn command(&mut self) {
        self.seen.extend(self.commands.recv().await);
    }

    async fn reply(&mut self) {
        self.seen.extend(self.replies.recv().await);
    }

    async fn next(&mut self) {
        tokio::select! {
            () = self.command() => {}
            () = self.reply() => {}
        }
    }
}

#[tokio::main]
async fn main() {
    let (_, commands) = mpsc::channel(1);
    let (_, replies) = mpsc::channel(1);
    let mut session = Session { commands, replies, seen: Vec::new() };
    session.next().await;
}
