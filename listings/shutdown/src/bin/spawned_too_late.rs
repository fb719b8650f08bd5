//! A closure that is submitted after the shutdown never runs.

// ANCHOR: late
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime::Runtime, task::JoinError};

/// Submits a closure to a runtime that is shut down. Returns whether
/// the closure ran, and whether its handle reports cancellation.
fn submit_late() -> io::Result<(bool, Result<(), JoinError>)> {
    let (runtime, other) = (Runtime::new()?, Runtime::new()?);
    let handle = runtime.handle().clone();
    runtime.shutdown_background();

    let ran = Arc::new(AtomicBool::new(false));
    let runs = ran.clone();
    // Like the `drop` of a value that outlives the runtime.
    let saving = handle
        .spawn_blocking(move || runs.store(true, Ordering::Relaxed));
    let ended = other.block_on(saving);
    Ok((ran.load(Ordering::Relaxed), ended))
}
// ANCHOR_END: late

fn main() -> io::Result<()> {
    let (ran, ended) = submit_late()?;
    let canceled = ended.is_err_and(|error| error.is_cancelled());
    println!("ran: {ran}; canceled: {canceled}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_comes_before_it_so_it_never_runs() -> io::Result<()> {
        let (ran, ended) = submit_late()?;
        assert!(!ran);
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        Ok(())
    }
}
