//! Wrong: with bb8, a canceled check leaves its answer to the next caller.

use std::collections::VecDeque;

use tokio::time::{Duration, sleep, timeout};

// ANCHOR: wrong
use std::io;

use bb8::ManageConnection;

impl ManageConnection for Orders {
    type Connection = Session;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<Session> {
        sleep(Duration::from_millis(50)).await;
        Ok(Session { on_the_way: VecDeque::new() })
    }

    /// Checks a connection before a caller gets it.
    async fn is_valid(&self, session: &mut Session) -> io::Result<()> {
        session.ask("pong").await.map(drop)
    }

    /// Wrong: bb8 calls this when a connection is returned, even if
    /// its check was canceled.
    fn has_broken(&self, _session: &mut Session) -> bool {
        false
    }
}
// ANCHOR_END: wrong

struct Orders;

/// A session answers its questions in their order.
struct Session {
    /// The answers that haven't been read yet.
    on_the_way: VecDeque<&'static str>,
}

impl Session {
    /// Asks, and reads the next answer.
    async fn ask(&mut self, question: &'static str) -> Answer {
        self.on_the_way.push_back(question);
        sleep(Duration::from_millis(50)).await;
        let answer = self.on_the_way.pop_front();
        answer.ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

type Answer = io::Result<&'static str>;

/// A caller gives up after 20 ms, while bb8 checks the connection for
/// it. What does the next caller read?
async fn two_callers() -> Result<&'static str, Error> {
    let pool = bb8::Pool::builder().max_size(1).build(Orders).await?;
    drop(pool.get().await?);
    let patience = Duration::from_millis(20);
    if timeout(patience, pool.get()).await.is_err() {
        println!("the first caller gave up");
    }
    Ok(pool.get().await?.ask("3 orders").await?)
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Error> {
    println!("the next caller reads: {}", two_callers().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_while_it_is_checked() -> Result<(), Error> {
        assert_eq!(two_callers().await?, "pong");
        Ok(())
    }
}
