//! A request takes the stream out of its pooled place, and puts it back only after a whole answer.

use bb8::{ManageConnection, Pool, RunError};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub struct Client {
    places: Pool<Places>,
    server: SocketAddr,
    limit: Duration,
}

/// A place for a connection, which a request opens: bb8 would hide why that failed.
type Place = Option<BufReader<TcpStream>>;

struct Places;

impl ManageConnection for Places {
    type Connection = Place;
    type Error = Infallible;

    async fn connect(&self) -> Result<Place, Infallible> {
        Ok(None)
    }

    async fn is_valid(&self, _: &mut Place) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Place) -> bool {
        false
    }
}

impl Client {
    pub async fn new(server: SocketAddr, size: u32, limit: Duration) -> Self {
        let places = Pool::builder().max_size(size).connection_timeout(limit);
        let places = places.build_unchecked(Places);
        Self {
            places,
            server,
            limit,
        }
    }

    pub async fn request(&self, line: &str) -> io::Result<String> {
        timeout(self.limit, self.ask(line)).await?
    }

    async fn ask(&self, line: &str) -> io::Result<String> {
        let mut place = self.places.get().await.map_err(|error| match error {
            RunError::TimedOut => io::Error::from(io::ErrorKind::TimedOut),
            RunError::User(never) => match never {},
        })?;
        let mut stream = match place.take().filter(is_silent) {
            Some(stream) => stream,
            None => BufReader::new(TcpStream::connect(self.server).await?),
        };
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        if answer.pop() != Some('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *place = Some(stream);
        Ok(answer)
    }
}

/// Whether the server has sent nothing since its last answer, and hasn't closed the connection.
fn is_silent(stream: &BufReader<TcpStream>) -> bool {
    let read = stream.get_ref().try_read(&mut [0]);
    stream.buffer().is_empty() && read.is_err_and(|it| it.kind() == io::ErrorKind::WouldBlock)
}
