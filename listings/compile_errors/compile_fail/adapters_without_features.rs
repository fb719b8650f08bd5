//! Wrong: the crates tokio-util and tokio-stream have features of their own.
// Cargo.toml: tokio = { version = "1", features = ["net"] }
// Cargo.toml: tokio-stream = "0.1"
// Cargo.toml: tokio-util = "0.7"

use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::codec::{Framed, LinesCodec};

fn connections(listener: TcpListener) -> TcpListenerStream {
    TcpListenerStream::new(listener)
}

fn lines(connection: TcpStream) -> Framed<TcpStream, LinesCodec> {
    Framed::new(connection, LinesCodec::new())
}

fn main() {}
