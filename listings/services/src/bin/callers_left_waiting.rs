//! Wrong: the connection has ended, and its callers wait forever.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, DuplexStream, duplex},
    sync::oneshot,
    time::{Duration, timeout},
};

// ANCHOR: wrong
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>>;

/// Passes answers on, until the connection ends.
async fn read(
    socket: impl AsyncRead + Unpin,
    waiting: Waiting,
) -> io::Result<()> {
    let mut lines = BufReader::new(socket).lines();
    while let Some(line) = lines.next_line().await? {
        let Some((id, answer)) = line.split_once(' ') else { break };
        let Ok(id) = id.parse() else { break };
        if let Some(reply) = lock(&waiting).remove(&id) {
            reply.send(answer.to_owned()).ok();
        }
    }
    Ok(()) // Wrong: the client's copy of the map keeps the senders.
}
// ANCHOR_END: wrong

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the caller learns within an hour that the server has
/// closed the connection.
async fn learns(server: DuplexStream, ours: DuplexStream) -> bool {
    let waiting = Waiting::default();
    let (reply, answer) = oneshot::channel();
    lock(&waiting).insert(1, reply);
    drop(server); // The server closes, and doesn't answer.
    let reading = read(ours, waiting.clone());
    let asking = timeout(Duration::from_secs(3600), answer);
    tokio::join!(reading, asking).1.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, server) = duplex(1024);
    match learns(server, ours).await {
        true => println!("the caller has an error"),
        false => println!("after an hour, the caller still waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_connection_reaches_all_callers() {
        let (ours, server) = duplex(1024);
        assert!(!learns(server, ours).await); // It doesn't.
    }
}
