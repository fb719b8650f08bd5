//! Fails: a_refused_connection_says_so
//! bb8 tries to connect again and again, and `get` returns `TimedOut`: the cause goes to an error sink.

use bb8::{ManageConnection, Pool, RunError};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

struct Manager {
    server: SocketAddr,
}

struct Session {
    stream: BufReader<TcpStream>,
    is_broken: bool,
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<Session> {
        let stream = BufReader::new(TcpStream::connect(self.server).await?);
        Ok(Session {
            stream,
            is_broken: false,
        })
    }

    async fn is_valid(&self, session: &mut Session) -> io::Result<()> {
        match session.stream.get_ref().try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_broken
    }
}

impl Session {
    async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.stream
            .write_all(format!("{line}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).await?;
        if answer.pop() != Some('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

pub struct Client {
    pool: Pool<Manager>,
    limit: Duration,
}

impl Client {
    pub async fn new(server: SocketAddr, size: u32, limit: Duration) -> Self {
        let pool = Pool::builder().max_size(size).connection_timeout(limit);
        Self {
            pool: pool.build_unchecked(Manager { server }),
            limit,
        }
    }

    pub async fn request(&self, line: &str) -> io::Result<String> {
        timeout(self.limit, async {
            let mut session = self.pool.get().await.map_err(|error| match error {
                RunError::User(error) => error,
                RunError::TimedOut => io::ErrorKind::TimedOut.into(),
            })?;
            session.is_broken = true;
            let answer = session.ask(line).await?;
            session.is_broken = false;
            Ok(answer)
        })
        .await?
    }
}
