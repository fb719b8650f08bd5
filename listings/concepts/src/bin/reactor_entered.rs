//! Enter a runtime, and build it with timers and sockets.

use std::{io, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    time::{Sleep, sleep},
};

// ANCHOR: entered
/// Creates a timer outside of async code. While the guard is alive,
/// this thread has a runtime. The timer panics if the runtime is
/// dropped before the timer fires.
fn timer(handle: &Handle) -> Sleep {
    let _entered = handle.enter();
    sleep(Duration::from_millis(1))
}

/// Lets another executor poll a Tokio timer. The timer's runtime
/// has a worker that drives the timer. In async code, this function
/// panics, because it drops the runtime.
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

    fn message(panic: Box<dyn std::any::Any + Send>) -> String {
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => match panic.downcast::<&str>() {
                Ok(text) => text.to_string(),
                Err(_) => "it says nothing".to_owned(),
            },
        }
    }

    #[test]
    fn owner_gone_before_the_timer_fires() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let hour = {
            let _entered = runtime.enter();
            sleep(hazards::HOUR)
        };
        let waits = std::thread::spawn(|| {
            futures::executor::block_on(hour);
        });
        drop(runtime);
        let said = message(waits.join().expect_err("a panic"));
        let expected = "A Tokio 1.x context was found, but it is being";
        assert!(said.starts_with(expected), "{said}");
    }

    #[tokio::test]
    async fn edges_called_in_async_code() {
        let call = tokio::spawn(async { by_another_executor() });
        let panic = call.await.expect_err("a panic").into_panic();
        let said = message(panic);
        assert!(said.starts_with("Cannot drop a runtime"), "{said}");
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
