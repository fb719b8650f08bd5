//! Fails: a_long_line_ends_without_a_reset, a_client_without_whole_lines_loses_its_place
//! Each byte renews the time limit, and the socket is closed with unread bytes.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::WriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
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
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = clients.join_next() => report(ended),
            accepted = listener.accept(), if clients.len() < limits.connections => match accepted {
                Ok((socket, _)) => {
                    let (limits, answer, stop) = (limits.clone(), answer.clone(), stop.clone());
                    clients.spawn(async move { talk(socket, &limits, &answer, &stop).await });
                }
                Err(error) => {
                    tracing::error!(%error, "can't accept a connection");
                    // Too many open files, for example, don't go away at once.
                    stop.run_until_cancelled(sleep(Duration::from_millis(100))).await;
                }
            },
        }
    }
    drop(listener);
    let rest = async {
        while let Some(ended) = clients.join_next().await {
            report(ended);
        }
    };
    if timeout(limits.grace, rest).await.is_err() {
        clients.shutdown().await;
    }
}

fn report(ended: Result<io::Result<()>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client is gone"),
        Err(error) => tracing::error!(%error, "a client's task ended"),
    }
}

async fn talk<F, A>(
    mut socket: TcpStream,
    limits: &Limits,
    answer: &F,
    stop: &CancellationToken,
) -> io::Result<()>
where
    F: Fn(Vec<u8>) -> A,
    A: Future<Output = Vec<u8>>,
{
    let (from, mut to) = socket.split();
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        while line.len() <= limits.line && line.last() != Some(&b'\n') {
            let reading = timeout(limits.idle, from.fill_buf());
            let bytes = tokio::select! {
                read = reading => read??,
                () = stop.cancelled() => return Ok(()),
            };
            if bytes.is_empty() {
                return Ok(());
            }
            let most = bytes.len().min(limits.line + 1 - line.len());
            let end = bytes[..most].iter().position(|it| *it == b'\n');
            let length = end.map_or(most, |it| it + 1);
            line.extend_from_slice(&bytes[..length]);
            from.consume(length);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            let mut text = answer(line).await;
            text.push(b'\n');
            send(&mut to, &text, limits.idle).await?;
        } else if line.len() > limits.line {
            break;
        } else {
            return Ok(());
        }
    }
    send(&mut to, b"too long\n", limits.idle).await
}

async fn send(to: &mut WriteHalf<'_>, mut text: &[u8], idle: Duration) -> io::Result<()> {
    while !text.is_empty() {
        timeout(idle, to.write_buf(&mut text)).await??;
    }
    Ok(())
}
