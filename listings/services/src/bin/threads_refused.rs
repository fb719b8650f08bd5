//! The system refuses another thread: a closure waits for a thread of the pool, or `spawn_blocking` panics.

use std::{error::Error, io, sync::mpsc, thread};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    runtime::{Builder, Runtime},
    task::spawn_blocking,
    time::{Duration, timeout},
};

const GIB: usize = 1 << 30;

/// A runtime whose blocking threads need this much address space.
fn runtime(stack: usize) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().thread_stack_size(stack).build()
}

// ANCHOR: refused
/// The pool has one thread, which is busy.
async fn one_thread() -> Result<(), Box<dyn Error>> {
    let (release, wait) = mpsc::channel();
    let first = spawn_blocking(move || wait.recv());
    let mut second = spawn_blocking(|| "archived");
    let limit = Duration::from_millis(50);
    let waits = timeout(limit, &mut second).await.is_err();
    println!("one thread, and the second closure waits: {waits}");
    release.send(())?;
    first.await??;
    println!("after the first one has returned: {}", second.await?);
    Ok(())
}

/// The pool has no thread, and can't get one.
async fn no_thread(most: u64) -> Result<(), Box<dyn Error>> {
    let archive = || println!("its closure runs after all");
    let call =
        tokio::spawn(async move { spawn_blocking(archive).await });
    let refused = call.await.is_err_and(|error| error.is_panic());
    println!("no thread, and spawn_blocking panics: {refused}");
    setrlimit(Resource::RLIMIT_AS, most, most)?;
    println!(
        "another call, with a thread: {:?}",
        spawn_blocking(|| ()).await
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // Like a limit of processes (ulimit), a limit of the
    // address space makes the system refuse threads (EAGAIN).
    let (_, most) = getrlimit(Resource::RLIMIT_AS)?;
    setrlimit(Resource::RLIMIT_AS, (7 * GIB / 4) as u64, most)?;
    let thread =
        thread::Builder::new().stack_size(4 * GIB).spawn(|| {});
    println!("std: {}", thread.err().ok_or("it started")?);
    runtime(GIB)?.block_on(one_thread())?;
    runtime(4 * GIB)?.block_on(no_thread(most))
}
// ANCHOR_END: refused
