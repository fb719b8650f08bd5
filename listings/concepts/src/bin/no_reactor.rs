//! Wrong: four uses of Tokio without the runtime that they need.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::{runtime::Builder, task, time::sleep};

// ANCHOR: wrong
/// Wrong: another crate's executor polls the future. Tokio's timer
/// looks for a runtime on the thread, but there is none.
fn by_another_executor() {
    futures::executor::block_on(sleep(Duration::from_millis(1)));
}

/// Wrong: this runtime is built without timers.
fn without_timers() -> io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async { sleep(Duration::from_millis(1)).await });
    Ok(())
}

/// Wrong: this runtime has only one thread, so its tasks can't move
/// to another thread.
fn in_place_on_one_thread() -> io::Result<u32> {
    let runtime = Builder::new_current_thread().build()?;
    Ok(runtime.block_on(async { task::block_in_place(|| 1250) }))
}

/// Wrong: a local task on a runtime that can't run local tasks.
fn local_without_a_set() -> io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async { drop(task::spawn_local(async {})) });
    Ok(())
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

fn main() {
    // `report` prints the panic's message.
    std::panic::set_hook(Box::new(|_| ()));
    report("by_another_executor", by_another_executor);
    report("without_timers", without_timers);
    report("in_place_on_one_thread", in_place_on_one_thread);
    report("local_without_a_set", local_without_a_set);
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

    #[test]
    fn edges_no_runtime_on_this_thread() {
        let said = panic_of(by_another_executor);
        assert!(said.starts_with("there is no reactor running"));
        assert!(panic_of(without_timers).contains("enable_time"));
        let said = panic_of(in_place_on_one_thread);
        assert!(said.contains("multi-threaded"), "{said}");
        assert!(panic_of(local_without_a_set).contains("LocalSet"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_a_runtime_is_it_works() {
        sleep(Duration::from_millis(1)).await;
        assert_eq!(task::block_in_place(|| 1250), 1250);
    }
}
