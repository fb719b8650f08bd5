//! Wrong: a connection goes back in the middle of a question.

use std::{io, sync::Mutex};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex,
    },
    task::JoinSet,
    time::{Duration, sleep, timeout},
};

// ANCHOR: wrong
struct Session {
    stream: BufReader<DuplexStream>,
}

impl Session {
    async fn balance(&mut self, name: &str) -> io::Result<String> {
        let question = format!("{name}\n");
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        // Wrong: if the caller has given up, its answer is still on its
        // way, and the next caller will read it.
        if let Some(session) = self.session.take() {
            self.pool.put(session);
        }
    }
}
// ANCHOR_END: wrong

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
    Session { stream: BufReader::new(ours) }
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
    if gave_up.is_err() {
        println!("Ann gave up");
    }
    drop(session);
    pool.get(&mut bank).balance("Bob").await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    print!("Bob reads: {}", two_callers().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_middle_of_a_question() -> io::Result<()> {
        assert_eq!(two_callers().await?, "Ann has 125000\n");
        Ok(())
    }
}
