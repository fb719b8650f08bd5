//! Wrong: an idle connection is reused after the server has closed it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

// ANCHOR: wrong
struct Pool {
    server: SocketAddr,
    idle: Mutex<Vec<Session>>,
    connected: AtomicU32,
}

impl Pool {
    async fn get(&self) -> io::Result<Session> {
        let idle = self.idle.lock().expect("no panic").pop();
        match idle {
            // Wrong: the server may have closed it since then.
            Some(session) => Ok(session),
            None => self.connect().await,
        }
    }
}
// ANCHOR_END: wrong

impl Pool {
    async fn connect(&self) -> io::Result<Session> {
        let stream = TcpStream::connect(self.server).await?;
        let number = 1 + self.connected.fetch_add(1, Relaxed);
        Ok(Session { stream: BufReader::new(stream), number })
    }

    fn put(&self, session: Session) {
        self.idle.lock().expect("no panic").push(session);
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    number: u32,
}

impl Session {
    async fn ask(&mut self, question: &str) -> io::Result<String> {
        let line = format!("{question}\n");
        self.stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}
/// Accepts one connection after the other, and serves them all.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        sessions.spawn(answer(BufReader::new(stream)));
        while sessions.try_join_next().is_some() {}
    }
}

/// Hangs up after three orders, as a server does that is restarted, or
/// a load balancer that finds a connection idle.
async fn answer(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let (mut line, mut orders) = (String::new(), 0);
    while orders < 3 && stream.read_line(&mut line).await? > 0 {
        orders += 1;
        let answer = format!("placed: {line}");
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn start() -> io::Result<(Pool, JoinSet<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener));
    let (idle, connected) = Default::default();
    Ok((Pool { server, idle, connected }, tasks))
}

/// Places eight orders, one after the other.
async fn place_all(pool: &Pool) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for order in 1..=8 {
        let mut session = pool.get().await?;
        // What the error says depends on who is quicker.
        match session.ask(&format!("order {order}")).await {
            Ok(answer) => {
                lines.push(format!(
                    "session {}: {answer}",
                    session.number
                ));
                pool.put(session);
            }
            Err(_) => lines.push(format!(
                "session {}: lost: order {order}\n",
                session.number
            )),
        }
    }
    Ok(lines)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (pool, _server) = start().await?;
    for line in place_all(&pool).await? {
        print!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_idle_connections() -> io::Result<()> {
        let (pool, _server) = start().await?;
        let lines = place_all(&pool).await?;
        for (number, line) in (1..).zip(lines) {
            assert_eq!(
                line.contains("lost"),
                number % 4 == 0,
                "{line}"
            );
        }
        Ok(())
    }
}
