//! Wrong: the driver records a transaction only after the server has answered.

use std::time::Duration;

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
impl Session {
    async fn begin(&mut self) {
        self.server.receive("BEGIN");
        // Wrong: dropped here, the transaction isn't recorded.
        self.server.answer().await;
        self.depth += 1;
    }
}

impl Pool {
    /// Rolls back an open transaction before the session is reused.
    fn put(&mut self, mut session: Session) {
        if session.depth > 0 {
            session.server.receive("ROLLBACK");
            session.depth = 0;
        }
        self.idle.push(session);
    }
}
// ANCHOR_END: wrong

struct Pool {
    idle: Vec<Session>,
}

struct Session {
    server: Server,
    depth: u32,
}

/// The server's side of a connection.
#[derive(Default)]
struct Server {
    in_transaction: bool,
}

impl Server {
    fn receive(&mut self, statement: &str) {
        match statement {
            "BEGIN" => self.in_transaction = true,
            "COMMIT" | "ROLLBACK" => self.in_transaction = false,
            _ => {}
        }
    }

    async fn answer(&mut self) {
        sleep(Duration::from_millis(10)).await;
    }
}

/// A caller gives up while its transaction begins. Another one gets
/// the session: is it in a transaction?
async fn two_callers() -> Option<bool> {
    let session = Session { server: Server::default(), depth: 0 };
    let mut pool = Pool { idle: vec![session] };
    let mut session = pool.idle.pop()?;
    let patience = Duration::from_millis(5);
    let begun = timeout(patience, session.begin()).await;
    assert!(begun.is_err());
    pool.put(session);
    let session = pool.idle.pop()?;
    Some(session.server.in_transaction)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match two_callers().await {
        Some(true) => println!("the next caller is in a transaction"),
        Some(false) => println!("the next caller has a clean session"),
        None => println!("no session is left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_while_it_begins() {
        assert_eq!(two_callers().await, Some(true));
    }
}
