//! A handle that ends its task when it is dropped.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: session
/// A session that is kept alive, as long as this value lives.
struct Session {
    name: &'static str,
    _keep_alive: AbortOnDropHandle<()>,
}

impl Session {
    fn open(name: &'static str) -> Self {
        let task = tokio::spawn(keep_alive(name));
        let keep_alive = AbortOnDropHandle::new(task);
        Self { name, _keep_alive: keep_alive }
    }
}
// ANCHOR_END: session

/// Tells the server that the session is in use, each 100 ms.
async fn keep_alive(name: &str) {
    loop {
        sleep(Duration::from_millis(100)).await;
        println!("{name} is alive");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let session = Session::open("checkout");
    sleep(Duration::from_millis(250)).await;
    println!("{} is closed", session.name);
    drop(session);
    sleep(Duration::from_secs(1)).await;
    println!("a second later: nothing more");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_the_session() {
        let session = Session::open("checkout");
        let task = session._keep_alive.abort_handle();
        sleep(Duration::from_millis(50)).await;
        assert!(!task.is_finished());
        drop(session);
        sleep(Duration::from_millis(1)).await;
        assert!(task.is_finished());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        let session = Session::open("checkout");
        let task = session._keep_alive.abort_handle();
        drop(session);
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
