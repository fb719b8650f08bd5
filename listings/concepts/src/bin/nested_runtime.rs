//! Wrong: three ways to block a thread that runs async code.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tokio::{runtime::Runtime, sync::Mutex};

// ANCHOR: wrong
/// Wrong: a sync function starts its own runtime to call async code,
/// but is called from async code itself.
fn price() -> io::Result<u32> {
    let runtime = Runtime::new()?;
    Ok(runtime.block_on(async { 1250 }))
}

/// Wrong: drops a runtime in async code. The drop waits for the
/// threads of the runtime.
fn close(runtime: Runtime) {
    drop(runtime);
}

/// Wrong: blocks the thread while it waits for a lock.
fn read(prices: &Mutex<Vec<u32>>) -> usize {
    prices.blocking_lock().len()
}

/// Calls all three functions from async code.
async fn call_each(runtime: Runtime) {
    report("price", || price().map(drop));
    report("close", || close(runtime));
    report("read", || read(&Mutex::default()));
}
// ANCHOR_END: wrong

/// Prints the message of the panic in a call.
fn report<T>(name: &str, call: impl FnOnce() -> T) {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => println!("{name}: no panic"),
        Err(panic) => println!("{name}: {}\n", message(panic)),
    }
}

/// The message of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => match other.downcast::<&str>() {
            Ok(text) => text.to_string(),
            Err(_) => "it says nothing".to_owned(),
        },
    }
}

fn main() -> io::Result<()> {
    // `report` prints the panic's message.
    std::panic::set_hook(Box::new(|_| ()));
    let inner =
        tokio::runtime::Builder::new_current_thread().build()?;
    let outer =
        tokio::runtime::Builder::new_current_thread().build()?;
    outer.block_on(call_each(inner));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic_of<T>(call: impl FnOnce() -> T) -> String {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(_) => "none".to_owned(),
            Err(panic) => message(panic),
        }
    }

    async fn all_panic() {
        let runtime = tokio::task::spawn_blocking(Runtime::new);
        let runtime = runtime.await.expect("it does not panic");
        let runtime = runtime.expect("a runtime");
        assert!(panic_of(price).contains("Cannot start a runtime"));
        let said = panic_of(|| close(runtime));
        assert!(said.contains("Cannot drop a runtime"), "{said}");
        let said = panic_of(|| read(&Mutex::default()));
        assert!(said.contains("Cannot block the current thread"));
    }

    #[tokio::test]
    async fn edges_called_in_async_code() {
        all_panic().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn they_panic_on_many_threads() {
        all_panic().await;
    }
}
