//! Wrong: `drop` isn't async, so it can't wait for a future.

// ANCHOR: wrong
use tokio::runtime::Handle;

/// A session with a server, which expects a goodbye.
struct Session;

impl Session {
    async fn goodbye(&self) {
        tokio::task::yield_now().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Wrong: this thread already runs the runtime's tasks.
        Handle::current().block_on(self.goodbye());
    }
}
// ANCHOR_END: wrong

/// Drops a session in a task. Returns how the task ended.
async fn drop_a_session() -> Result<(), String> {
    std::panic::set_hook(Box::new(|_| {}));
    let task = tokio::spawn(async { drop(Session) });
    let ended = task.await;
    let _ = std::panic::take_hook();
    ended.map_err(|error| {
        let panic = error.into_panic();
        let message = panic.downcast_ref::<&str>();
        message.copied().unwrap_or("another panic").to_owned()
    })
}

#[tokio::main]
async fn main() {
    match drop_a_session().await {
        Ok(()) => println!("the server got the goodbye"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_tells_the_server() {
        // It panics.
        let error = drop_a_session().await.expect_err("a panic");
        assert!(
            error.contains("Cannot start a runtime from within"),
            "{error}"
        );
    }
}
