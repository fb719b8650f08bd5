//! Close a session explicitly; after a drop, a task cleans up.

// ANCHOR: session
use std::io;

use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

/// A session with a server, which expects a goodbye.
struct Session {
    name: &'static str,
    server: mpsc::Sender<String>,
    /// `drop` sends the name here; `None` once the session is closed.
    left: Option<mpsc::UnboundedSender<&'static str>>,
}

/// How long to wait until the server accepts a goodbye.
const LIMIT: Duration = Duration::from_secs(5);

impl Session {
    /// Ends the session. If this fails or is canceled, the cleanup task
    /// tries again.
    async fn close(mut self) -> io::Result<()> {
        let goodbye = format!("{}: goodbye", self.name);
        let sent = timeout(LIMIT, self.server.send(goodbye)).await?;
        sent.map_err(io::Error::other)?;
        self.left = None;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            // Fails if the cleanup task has already ended.
            let _ = left.send(self.name);
        }
    }
}
// ANCHOR_END: session

// ANCHOR: cleanup
/// Says goodbye for dropped sessions. Returns after the last session,
/// with the names whose goodbye failed. After a timeout, it no longer
/// waits until the server accepts a message again, because otherwise
/// many sessions would each wait for the limit.
async fn clean_up(
    mut left: mpsc::UnboundedReceiver<&'static str>,
    server: mpsc::Sender<String>,
) -> Vec<&'static str> {
    let (mut failed, mut limit) = (Vec::new(), LIMIT);
    while let Some(name) = left.recv().await {
        let goodbye = server.send(format!("{name}: goodbye, dropped"));
        match timeout(limit, goodbye).await {
            Ok(Ok(())) => limit = LIMIT,
            Ok(Err(_closed)) => failed.push(name),
            Err(_elapsed) => {
                failed.push(name);
                limit = Duration::ZERO; // Until a send succeeds.
            }
        }
    }
    failed
}
// ANCHOR_END: cleanup

// ANCHOR: work
use std::io::Write;

/// The whole program: one session is closed, and one is dropped.
async fn work(server: mpsc::Sender<String>) -> io::Result<()> {
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
        // `eprintln!` would panic if stderr were closed.
        _ = writeln!(io::stderr(), "session 7: {error}");
    }
    drop(dropped);
    // Now the cleanup ends with the last session. A session that is
    // still open delays it until the deadline.
    drop(left);
    let failed = timeout(2 * LIMIT, cleanup).await?;
    for name in failed.map_err(io::Error::other)? {
        _ = writeln!(io::stderr(), "{name}: the server got no goodbye");
    }
    Ok(())
}
// ANCHOR_END: work

/// Runs a program to its end. Returns what the server got.
fn run_to_the_end() -> io::Result<Vec<String>> {
    let (server, mut told) = mpsc::channel(8);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(work(server))?;
    // As at the end of `main`.
    drop(runtime);
    let mut goodbyes = Vec::new();
    while let Some(goodbye) = told.blocking_recv() {
        goodbyes.push(goodbye);
    }
    Ok(goodbyes)
}

fn main() -> io::Result<()> {
    println!("the server got: {:?}", run_to_the_end()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{task::JoinHandle, time::sleep};

    use super::*;

    #[test]
    fn stop_tells_the_server() -> io::Result<()> {
        assert_eq!(
            run_to_the_end()?,
            ["session 7: goodbye", "session 8: goodbye, dropped"]
        );
        Ok(())
    }

    /// A server, and a cleanup task.
    struct World {
        told: mpsc::Receiver<String>,
        server: mpsc::Sender<String>,
        left: mpsc::UnboundedSender<&'static str>,
        cleanup: JoinHandle<Vec<&'static str>>,
    }

    impl World {
        fn new() -> Self {
            let (server, told) = mpsc::channel(1);
            let (left, sessions_left) = mpsc::unbounded_channel();
            let cleanup = clean_up(sessions_left, server.clone());
            let cleanup = tokio::spawn(cleanup);
            Self { told, server, left, cleanup }
        }

        fn session(&self, name: &'static str) -> Session {
            let left = Some(self.left.clone());
            Session { name, server: self.server.clone(), left }
        }

        /// What the server gets, and whose goodbye is missing.
        async fn end(mut self) -> (Vec<String>, Vec<&'static str>) {
            drop((self.server, self.left));
            let mut goodbyes = Vec::new();
            while let Some(goodbye) = self.told.recv().await {
                goodbyes.push(goodbye);
            }
            (goodbyes, self.cleanup.await.expect("no panic"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_close_still_says_goodbye_once() {
        hazards::at_every_poll(async |cancel| {
            let world = World::new();
            // The server has no room until it is read.
            let full = world.server.send("busy".to_owned()).await;
            full.expect("room for one");
            let session = world.session("session 7");
            let closing = async {
                let closing = session.close();
                tokio::task::yield_now().await;
                closing.await
            };
            cancel.run(closing).await;
            let (told, failed) = world.end().await;
            let goodbyes = told.iter().filter(|it| *it != "busy");
            assert_eq!((goodbyes.count(), failed.len()), (1, 0));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_an_owner_still_says_goodbye() {
        let world = World::new();
        let session = world.session("session 7");
        let owner = tokio::spawn(async move {
            let _session = session;
            std::panic::resume_unwind(Box::new("broken"));
        });
        assert!(owner.await.is_err_and(|error| error.is_panic()));
        let (told, _) = world.end().await;
        assert_eq!(told, ["session 7: goodbye, dropped"]);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_still_says_goodbye() {
        let world = World::new();
        let session = world.session("session 7");
        let owner = tokio::spawn(async move {
            let _session = session;
            sleep(hazards::HOUR).await;
        });
        sleep(Duration::from_secs(1)).await;
        owner.abort();
        let (told, _) = world.end().await;
        assert_eq!(told, ["session 7: goodbye, dropped"]);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_is_reported() {
        let mut world = World::new();
        let full = world.server.send("busy".to_owned()).await;
        full.expect("room for one");
        let close = world.session("session 7").close();
        let closed = hazards::within(hazards::HOUR, close).await;
        assert!(closed.is_err());
        drop(world.session("session 8"));
        sleep(3 * LIMIT).await;
        world.told.recv().await;
        let (told, failed) = world.end().await;
        assert!(told.is_empty());
        assert_eq!(failed, ["session 7", "session 8"]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_ends_the_program() {
        let (server, _told) = mpsc::channel(1);
        let full = server.send("busy".to_owned()).await;
        full.expect("room for one");
        let start = tokio::time::Instant::now();
        let ended = hazards::within(hazards::HOUR, work(server)).await;
        ended.expect("the cleanup ends in time");
        assert_eq!(start.elapsed(), 2 * LIMIT);
    }

    /// Runs the test above in a process whose stderr is closed.
    #[test]
    fn failure_of_stderr_does_not_end_the_cleanup() {
        let test = "silence_of_the_server_ends_the_program";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    /// As at the end of `work`: all of them within its time limit.
    #[tokio::test(start_paused = true)]
    async fn silence_and_many_sessions_are_reported_in_time() {
        let world = World::new();
        let full = world.server.send("busy".to_owned()).await;
        full.expect("room for one");
        for _ in 0..100 {
            drop(world.session("session"));
        }
        drop((world.server, world.left));
        let failed = timeout(2 * LIMIT, world.cleanup).await;
        let failed = failed.expect("in time").expect("no panic");
        assert_eq!(failed.len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_server_is_reported() {
        let mut world = World::new();
        world.told.close();
        assert!(world.session("session 7").close().await.is_err());
        drop(world.session("session 8"));
        let (_, failed) = world.end().await;
        assert_eq!(failed, ["session 7", "session 8"]);
    }

    /// A thousand sessions at a server that reads one in a while.
    #[tokio::test(start_paused = true)]
    async fn slow_server_and_overload_lose_no_goodbye() {
        let mut world = World::new();
        for _ in 0..1000 {
            drop(world.session("session"));
        }
        let (_, never) = mpsc::channel(1);
        let mut told = std::mem::replace(&mut world.told, never);
        let reading = tokio::spawn(async move {
            let mut count = 0;
            while told.recv().await.is_some() {
                count += 1;
                sleep(Duration::from_millis(900)).await;
            }
            count
        });
        drop((world.server, world.left));
        let failed = world.cleanup.await.expect("no panic");
        assert!(failed.is_empty());
        assert_eq!(reading.await.expect("no panic"), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_dropped_sessions_loses_no_goodbye() {
        let world = World::new();
        for _ in 0..1000 {
            drop(world.session("session"));
        }
        assert_eq!(world.end().await.0.len(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_session() {
        assert_eq!(World::new().end().await, (vec![], vec![]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_goodbye() {
        let world = World::new();
        let mut owners = tokio::task::JoinSet::new();
        for nth in 0..200 {
            let session = world.session("session");
            owners.spawn(async move {
                match nth % 2 {
                    0 => session.close().await.expect("told"),
                    _ => drop(session),
                }
            });
        }
        assert_eq!(world.end().await.0.len(), 200);
        owners.join_all().await;
    }
}
