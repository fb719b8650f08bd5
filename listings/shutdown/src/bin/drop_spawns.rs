//! Wrong: a task that `drop` spawns is lost when the program exits.

// ANCHOR: wrong
use tokio::sync::mpsc;

/// A session with a server, which expects a goodbye.
struct Session {
    name: &'static str,
    server: mpsc::Sender<String>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let (name, server) = (self.name, self.server.clone());
        // Wrong: nothing waits for this task.
        tokio::spawn(async move {
            // No caller could handle an error.
            let _ = server.send(format!("{name}: goodbye")).await;
        });
    }
}
// ANCHOR_END: wrong

async fn work(server: mpsc::Sender<String>) {
    let _session = Session { name: "session 7", server };
}

/// Runs a program to its end. Returns what the server got.
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
    println!("the server got: {:?}", run_to_the_end()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_tells_the_server() -> std::io::Result<()> {
        // It doesn't.
        assert!(run_to_the_end()?.is_empty());
        Ok(())
    }
}
