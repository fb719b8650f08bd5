//! A session is closed by a call, or by a task that cleans up.

// ANCHOR: session
use tokio::sync::mpsc;

/// What is left to be told, by sessions that were dropped.
type Left = mpsc::UnboundedSender<&'static str>;

/// A session with a server, which wants to be told of its end.
struct Session {
    name: &'static str,
    server: mpsc::Sender<String>,
    /// None once it was closed.
    left: Option<Left>,
}

impl Session {
    /// The way to end a session: here one can wait, and see errors.
    async fn close(
        mut self,
    ) -> Result<(), mpsc::error::SendError<String>> {
        let goodbye = format!("{}: goodbye", self.name);
        self.server.send(goodbye).await?;
        self.left = None;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The way of a future that was dropped, and of a `?`.
        if let Some(left) = self.left.take() {
            // It fails only when the program has ended already.
            let _ = left.send(self.name);
        }
    }
}
// ANCHOR_END: session

// ANCHOR: cleanup
/// Says goodbye for those that could not; ends after the last session.
async fn clean_up(
    mut left: mpsc::UnboundedReceiver<&'static str>,
    server: mpsc::Sender<String>,
) {
    while let Some(name) = left.recv().await {
        let goodbye = format!("{name}: goodbye, dropped");
        if server.send(goodbye).await.is_err() {
            return;
        }
    }
}
// ANCHOR_END: cleanup

// ANCHOR: work
async fn work(server: mpsc::Sender<String>) {
    let (left, sessions_left) = mpsc::unbounded_channel();
    let cleanup = tokio::spawn(clean_up(sessions_left, server.clone()));
    let session = |name| Session {
        name,
        server: server.clone(),
        left: Some(left.clone()),
    };
    let (closed, dropped) =
        (session("session 7"), session("session 8"));
    if let Err(error) = closed.close().await {
        eprintln!("cannot say goodbye: {error}");
    }
    drop(dropped);
    // No session can be made any more: the cleanup comes to its end.
    drop(left);
    if let Err(error) = cleanup.await {
        eprintln!("the cleanup failed: {error}");
    }
}
// ANCHOR_END: work

/// Runs a program to its end. Returns what the server was told.
fn run_to_the_end() -> std::io::Result<Vec<String>> {
    let (server, mut told) = mpsc::channel(8);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(work(server));
    // As at the end of `main`.
    drop(runtime);
    let mut goodbyes = Vec::new();
    while let Some(goodbye) = told.blocking_recv() {
        goodbyes.push(goodbye);
    }
    Ok(goodbyes)
}

fn main() -> std::io::Result<()> {
    println!("the server was told: {:?}", run_to_the_end()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_say_goodbye() -> std::io::Result<()> {
        assert_eq!(
            run_to_the_end()?,
            ["session 7: goodbye", "session 8: goodbye, dropped"]
        );
        Ok(())
    }
}
