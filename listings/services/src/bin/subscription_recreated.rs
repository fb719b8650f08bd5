//! Messages are missing if their stream is created in every iteration.

use std::io;

use futures::StreamExt;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

/// A subscription on which three messages arrive, in one packet.
async fn subscribe() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    server.write_all(b"order 1\norder 2\norder 3\n").await?;
    Ok(client)
}

// ANCHOR: streams
/// Each stream reads ahead, and its buffer is dropped with it.
async fn recreated(
    subscription: &mut TcpStream,
) -> Result<Vec<String>, LinesCodecError> {
    let mut handled = Vec::new();
    loop {
        let codec = LinesCodec::new_with_max_length(1000);
        let mut messages = FramedRead::new(&mut *subscription, codec);
        let Some(message) = messages.next().await else {
            return Ok(handled);
        };
        handled.push(message?);
    }
}

/// One stream, created before the loop.
async fn kept(
    subscription: &mut TcpStream,
) -> Result<Vec<String>, LinesCodecError> {
    let codec = LinesCodec::new_with_max_length(1000);
    let mut messages = FramedRead::new(subscription, codec);
    let mut handled = Vec::new();
    while let Some(message) = messages.next().await {
        handled.push(message?);
    }
    Ok(handled)
}
// ANCHOR_END: streams

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), LinesCodecError> {
    let handled = recreated(&mut subscribe().await?).await?;
    println!("created in every iteration: {handled:?}");
    let handled = kept(&mut subscribe().await?).await?;
    println!("created once: {handled:?}");
    Ok(())
}
