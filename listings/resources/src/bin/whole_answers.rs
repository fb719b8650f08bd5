//! A connection that waits for an answer is closed, not given back.

use std::{io, sync::Mutex};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex,
    },
    task::JoinSet,
    time::{Duration, sleep, timeout},
};

// ANCHOR: whole
struct Session {
    stream: BufReader<DuplexStream>,
    is_asking: bool,
}

impl Session {
    async fn balance(&mut self, name: &str) -> io::Result<String> {
        let question = format!("{name}\n");
        self.is_asking = true;
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Not reached when the caller has gone, or after an error.
        self.is_asking = false;
        Ok(answer)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let session = self.session.take();
        if let Some(session) = session
            && !session.is_asking
        {
            self.pool.put(session);
        }
    }
}
// ANCHOR_END: whole

struct Pooled<'a> {
    pool: &'a Pool,
    session: Option<Session>,
}

impl Pooled<'_> {
    async fn balance(&mut self, name: &str) -> io::Result<String> {
        let session = self.session.as_mut();
        let closed = io::ErrorKind::NotConnected;
        session.ok_or(closed)?.balance(name).await
    }
}

#[derive(Default)]
struct Pool {
    idle: Mutex<Vec<Session>>,
}

impl Pool {
    fn put(&self, session: Session) {
        self.idle.lock().expect("no panic").push(session);
    }

    fn get(&self, bank: &mut JoinSet<io::Result<()>>) -> Pooled<'_> {
        let idle = self.idle.lock().expect("no panic").pop();
        let session = idle.unwrap_or_else(|| connect(bank));
        Pooled { pool: self, session: Some(session) }
    }
}

fn connect(bank: &mut JoinSet<io::Result<()>>) -> Session {
    let (ours, theirs) = duplex(64);
    bank.spawn(answer(BufReader::new(theirs)));
    Session { stream: BufReader::new(ours), is_asking: false }
}

/// The bank's side of a connection. It takes 50 ms for an answer.
async fn answer(mut stream: BufReader<DuplexStream>) -> io::Result<()> {
    let mut name = String::new();
    while stream.read_line(&mut name).await? > 0 {
        sleep(Duration::from_millis(50)).await;
        let cents = if name == "Ann\n" { 125_000 } else { 300 };
        let answer = format!("{} has {cents}\n", name.trim_end());
        stream.write_all(answer.as_bytes()).await?;
        name.clear();
    }
    Ok(())
}

/// Ann gives up after 20 ms. Then Bob asks.
async fn two_callers() -> io::Result<String> {
    let (pool, mut bank) = (Pool::default(), JoinSet::new());
    let patience = Duration::from_millis(20);
    let mut session = pool.get(&mut bank);
    let gave_up = timeout(patience, session.balance("Ann")).await;
    assert!(gave_up.is_err());
    drop(session);
    pool.get(&mut bank).balance("Bob").await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    println!("Ann gave up");
    print!("Bob is told: {}", two_callers().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bob_is_told_what_bob_has() -> io::Result<()> {
        assert_eq!(two_callers().await?, "Bob has 300\n");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_is_used_again() -> io::Result<()> {
        let (pool, mut bank) = (Pool::default(), JoinSet::new());
        for _ in 0..3 {
            pool.get(&mut bank).balance("Bob").await?;
        }
        assert_eq!(bank.len(), 1);
        Ok(())
    }
}
