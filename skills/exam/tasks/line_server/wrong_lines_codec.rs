//! Fails: lines_are_answered, a_long_line_ends_without_a_reset, a_client_that_reads_nothing_loses_its_place, a_failed_accept_ends_nothing
//! It answers a torn line, drops unread bytes, sends without a time limit, and ends with the first error of `accept`.

use futures::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Framed};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub struct Limits {
    pub connections: usize,
    pub line: usize,
    pub idle: Duration,
    pub grace: Duration,
}

pub async fn serve<F, A>(listener: TcpListener, limits: Limits, answer: F, stop: CancellationToken)
where
    F: Fn(Vec<u8>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Vec<u8>> + Send,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut clients = JoinSet::new();
    loop {
        let accept = async {
            let place = places.clone().acquire_owned().await.ok()?;
            let (socket, _) = listener.accept().await.ok()?;
            Some((socket, place))
        };
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = stop.cancelled() => break,
        };
        let Some((socket, place)) = accepted else {
            break;
        };
        let (limits, answer, stop) = (limits.clone(), answer.clone(), stop.clone());
        clients.spawn(async move {
            let _place = place;
            talk(socket, limits, answer, stop).await.ok();
        });
    }
    drop(listener);
    timeout(limits.grace, async {
        while clients.join_next().await.is_some() {}
    })
    .await
    .ok();
}

async fn talk<F, A>(
    socket: TcpStream,
    limits: Limits,
    answer: F,
    stop: CancellationToken,
) -> Result<(), AnyDelimiterCodecError>
where
    F: Fn(Vec<u8>) -> A,
    A: Future<Output = Vec<u8>>,
{
    let newline = || b"\n".to_vec();
    let codec = AnyDelimiterCodec::new_with_max_length(newline(), newline(), limits.line);
    let mut framed = Framed::new(socket, codec);
    loop {
        let line = tokio::select! {
            line = timeout(limits.idle, framed.next()) => line,
            () = stop.cancelled() => return Ok(()),
        };
        match line {
            Ok(Some(Ok(line))) => {
                let text = answer(line.to_vec()).await;
                framed.send(String::from_utf8_lossy(&text)).await?;
            }
            Ok(Some(Err(AnyDelimiterCodecError::MaxChunkLengthExceeded))) => {
                return framed.send("too long").await;
            }
            _ => return Ok(()),
        }
    }
}
