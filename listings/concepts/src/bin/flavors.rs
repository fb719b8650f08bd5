//! Build three kinds of runtime, and see on which threads tasks run.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Barrier},
    thread::{self, ThreadId},
};

use tokio::runtime::{Builder, LocalOptions, Runtime};

// ANCHOR: three_flavors
/// All tasks run on the thread that called `block_on`.
fn current_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Tasks run on worker threads, and may move between them. By
/// default, there is one worker for each core.
fn multi_thread(workers: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}

/// All tasks run on one thread, so they don't have to be `Send`.
fn local() -> io::Result<tokio::runtime::LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}
// ANCHOR_END: three_flavors

/// Two tasks that block until both run, and return their threads.
fn threads_of_two(runtime: &Runtime) -> HashSet<ThreadId> {
    let both = Arc::new(Barrier::new(2));
    let tasks = [Arc::clone(&both), both].map(|both| {
        runtime.spawn(async move {
            both.wait();
            thread::current().id()
        })
    });
    runtime.block_on(async {
        let mut threads = HashSet::new();
        for task in tasks {
            threads.insert(task.await.expect("it does not panic"));
        }
        threads
    })
}

fn main() -> io::Result<()> {
    let here = thread::current().id();
    let runtime = current_thread()?;
    let task = runtime.spawn(async { thread::current().id() });
    let ran_on = runtime.block_on(task).expect("it does not panic");
    println!("current_thread: on my thread: {}", ran_on == here);

    let threads = threads_of_two(&multi_thread(2)?);
    println!(
        "multi_thread:   on {} threads in parallel",
        threads.len()
    );
    println!(
        "                on my thread: {}",
        threads.contains(&here)
    );

    let prices = std::rc::Rc::new(1250);
    let task = local()?.block_on(async move {
        tokio::task::spawn_local(async move { *prices }).await
    });
    println!("local:          an Rc of {:?}", task.ok());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_where_their_runtime_says() {
        let here = thread::current().id();
        let runtime = current_thread().expect("a runtime");
        let task = runtime.spawn(async { thread::current().id() });
        assert_eq!(runtime.block_on(task).ok(), Some(here));
        let runtime = multi_thread(2).expect("a runtime");
        assert_eq!(threads_of_two(&runtime).len(), 2);
    }

    #[tokio::test]
    async fn a_test_has_one_thread() {
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        assert_eq!(
            flavor,
            tokio::runtime::RuntimeFlavor::CurrentThread
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_test_has_several_if_it_says_so() {
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        assert_eq!(flavor, tokio::runtime::RuntimeFlavor::MultiThread);
    }
}
