//! Enter a runtime, and build it with timers and sockets.

use std::{io, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    time::{Sleep, sleep},
};

// ANCHOR: entered
/// Creates a timer outside of async code. While the guard is alive,
/// this thread has a runtime.
fn timer(handle: &Handle) -> Sleep {
    let _entered = handle.enter();
    sleep(Duration::from_millis(1))
}

/// Lets another executor poll a Tokio timer. The timer's runtime
/// has a worker that drives the timer.
fn by_another_executor() -> io::Result<()> {
    // `enable_all` turns on timers and sockets.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    futures::executor::block_on(timer(runtime.handle()));
    Ok(())
}
// ANCHOR_END: entered

fn main() -> io::Result<()> {
    by_another_executor()?;
    println!("waited, by another executor");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_no_runtime_on_this_thread() {
        by_another_executor().expect("a runtime");
        // The guard is dropped, so this thread has no runtime.
        assert!(Handle::try_current().is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_inside_there_is_nothing_to_enter() {
        let handle = Handle::current();
        timer(&handle).await;
        let other = std::thread::spawn(move || {
            futures::executor::block_on(timer(&handle));
        });
        let joined = tokio::task::spawn_blocking(|| other.join()).await;
        assert!(joined.expect("no panic").is_ok());
    }
}
