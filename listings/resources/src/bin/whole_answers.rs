//! A connection that is still waiting for an answer is closed, not reused.

use std::{io, sync::Mutex};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader,
        DuplexStream, duplex,
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
    /// Takes ten seconds at most, and reads a thousand bytes at most.
    /// After an error or a cancellation, there may be an answer on its
    /// way, so the pool closes the connection.
    async fn balance(&mut self, name: &str) -> io::Result<String> {
        // We'd read an older answer, or leave an answer unread.
        if self.is_asking || name.contains('\n') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.is_asking = true;
        let question = format!("{name}\n");
        let mut answer = String::new();
        let ask = async {
            self.stream.write_all(question.as_bytes()).await?;
            let mut line = (&mut self.stream).take(1000);
            line.read_line(&mut answer).await
        };
        timeout(Duration::from_secs(10), ask).await??;
        // It's cut off if it's too long, or if the bank hangs up.
        if !answer.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.is_asking = !self.stream.buffer().is_empty();
        Ok(answer)
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        let whole = self.session.take_if(|it| !it.is_asking);
        if let Some(session) = whole {
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
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_middle_of_a_question() -> io::Result<()> {
        assert_eq!(two_callers().await?, "Bob has 300\n");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_anywhere_bob_reads_his_own() {
        at_every_poll(async |cancel| {
            let (pool, mut bank) = (Pool::default(), JoinSet::new());
            let mut session = pool.get(&mut bank);
            cancel.run(session.balance("Ann")).await;
            drop(session);
            let answer = pool.get(&mut bank).balance("Bob").await;
            assert_eq!(answer.ok().as_deref(), Some("Bob has 300\n"));
        })
        .await;
    }

    /// The same caller asks again, on the same connection.
    #[tokio::test(start_paused = true)]
    async fn again_after_a_timeout_it_is_refused() -> io::Result<()> {
        let (pool, mut bank) = (Pool::default(), JoinSet::new());
        let patience = Duration::from_millis(20);
        let mut session = pool.get(&mut bank);
        let ann = timeout(patience, session.balance("Ann")).await;
        assert!(ann.is_err());
        let carl = session.balance("Carl").await;
        let error = carl.expect_err("Ann's answer comes first");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        drop(session);
        let bob = pool.get(&mut bank).balance("Bob").await?;
        assert_eq!(bob, "Bob has 300\n");
        Ok(())
    }

    /// The name would also ask for Ann, and Bob would read her answer.
    #[tokio::test(start_paused = true)]
    async fn edges_a_name_of_two_lines_is_refused() {
        let (pool, mut bank) = (Pool::default(), JoinSet::new());
        let two = pool.get(&mut bank).balance("Eve\nAnn").await;
        let error = two.expect_err("it would be two questions");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let answer = pool.get(&mut bank).balance("Bob").await;
        assert_eq!(answer.ok().as_deref(), Some("Bob has 300\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_names() -> io::Result<()> {
        let (pool, mut bank) = (Pool::default(), JoinSet::new());
        for name in ["", "Jörg", &"x".repeat(980)] {
            let answer = pool.get(&mut bank).balance(name).await?;
            assert_eq!(answer, format!("{name} has 300\n"));
        }
        let long = pool.get(&mut bank).balance(&"x".repeat(1000)).await;
        assert!(long.is_err());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_second_answer_closes_the_connection() {
        let (answer, idle) =
            answer_of(b"Ann has 1\nAnn has 2\n", true).await;
        assert_eq!(answer.ok().as_deref(), Some("Ann has 1\n"));
        assert_eq!(idle, 0);
    }

    /// A bank that sends this, and hangs up or falls silent.
    async fn answer_of(
        bank: &'static [u8],
        is_silent: bool,
    ) -> (io::Result<String>, usize) {
        let (ours, mut theirs) = duplex(2000);
        let stream = BufReader::new(ours);
        let session = Session { stream, is_asking: false };
        let pool = Pool::default();
        let session = Some(session);
        let mut session = Pooled { pool: &pool, session };
        let answers = async {
            let mut question = [0; 4];
            theirs.read_exact(&mut question).await?;
            theirs.write_all(bank).await?;
            match is_silent {
                true => Ok(Some(theirs)),
                false => io::Result::Ok(None),
            }
        };
        let asks = within(HOUR, session.balance("Ann"));
        let (answer, theirs) = tokio::join!(asks, answers);
        drop((session, theirs));
        (answer, pool.idle.lock().expect("no panic").len())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_closes_the_connection() {
        let (answer, idle) = answer_of(b"Ann has", true).await;
        let error = answer.expect_err("nothing comes");
        assert_eq!((error.kind(), idle), (io::ErrorKind::TimedOut, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_closes_the_connection() {
        let endless = &[b'1'; 1000];
        for bank in [&b"not text: \xff\n"[..], b"", endless] {
            let (answer, idle) = answer_of(bank, false).await;
            assert!(answer.is_err());
            assert_eq!(idle, 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn crash_of_the_bank_in_the_middle_of_a_line() {
        let (answer, idle) = answer_of(b"Ann has 125", false).await;
        assert!(answer.is_err());
        assert_eq!(idle, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_connection_is_reused() -> io::Result<()> {
        let (pool, mut bank) = (Pool::default(), JoinSet::new());
        for _ in 0..3 {
            pool.get(&mut bank).balance("Bob").await?;
        }
        assert_eq!(bank.len(), 1);
        Ok(())
    }
}
