//! With bb8, a connection in the middle of a question counts as broken.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tokio::time::{Duration, sleep, timeout};

// ANCHOR: manager
use std::io;

use bb8::ManageConnection;

impl ManageConnection for Orders {
    type Connection = Session;
    type Error = io::Error;

    /// bb8 doesn't limit `connect`, so a server that doesn't respond
    /// would occupy the slot forever.
    async fn connect(&self) -> io::Result<Session> {
        timeout(Duration::from_secs(5), self.open()).await?
    }

    /// Checks a connection before a caller gets it.
    async fn is_valid(&self, session: &mut Session) -> io::Result<()> {
        session.ask("pong").await.map(drop)
    }

    /// Whether an answer is still on its way. bb8 calls this when a
    /// connection is returned, even if its check was canceled.
    fn has_broken(&self, session: &mut Session) -> bool {
        !session.on_the_way.is_empty()
    }
}
// ANCHOR_END: manager

#[derive(Default)]
struct Orders {
    is_silent: Arc<AtomicBool>,
}

impl Orders {
    async fn open(&self) -> io::Result<Session> {
        if self.is_silent.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(50)).await;
        Ok(Session { on_the_way: VecDeque::new() })
    }
}

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
    let pool = bb8::Pool::builder().max_size(1);
    let pool = pool.build(Orders::default()).await?;
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
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    async fn pool_of(orders: Orders) -> bb8::Pool<Orders> {
        let pool = bb8::Pool::builder().max_size(1).build(orders);
        pool.await.expect("it opens nothing yet")
    }

    async fn pool() -> bb8::Pool<Orders> {
        pool_of(Orders::default()).await
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_while_it_is_checked() -> Result<(), Error> {
        assert_eq!(two_callers().await?, "3 orders");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_anywhere_the_next_one_is_answered() {
        for is_idle in [false, true] {
            at_every_poll(async |cancel| {
                let pool = pool().await;
                if is_idle {
                    drop(pool.get().await);
                }
                let ask = async {
                    let mut session = pool.get().await.ok()?;
                    session.ask("2 orders").await.ok()
                };
                cancel.run(ask).await;
                let next = within(HOUR, pool.get()).await;
                let mut next = next.expect("there is a place");
                let answer = next.ask("3 orders").await;
                assert_eq!(answer.ok(), Some("3 orders"));
            })
            .await;
        }
    }

    /// bb8 connects in its own task, which keeps running.
    #[tokio::test(start_paused = true)]
    async fn cancel_while_it_connects() {
        let pool = pool().await;
        let patience = Duration::from_millis(20);
        assert!(timeout(patience, pool.get()).await.is_err());
        assert_eq!(pool.state().idle_connections, 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(pool.state().idle_connections, 1);
    }

    /// For a while, the server accepts connections but sends nothing.
    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_occupies_no_slot() {
        let is_silent = Arc::new(AtomicBool::new(true));
        let orders = Orders { is_silent: Arc::clone(&is_silent) };
        let pool = pool_of(orders).await;
        let silent = within(HOUR, pool.get()).await;
        assert!(matches!(silent, Err(bb8::RunError::TimedOut)));
        is_silent.store(false, Relaxed);
        assert!(within(HOUR, pool.get()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ends_with_the_time_limit() {
        let pool = pool().await;
        let held = pool.get().await;
        let full = within(HOUR, pool.get()).await;
        assert!(matches!(full, Err(bb8::RunError::TimedOut)));
        drop(held);
        assert!(pool.get().await.is_ok());
    }
}
