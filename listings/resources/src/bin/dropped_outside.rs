//! Wrong: the guard has to be dropped inside a runtime.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::{
    runtime::Builder,
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
};

struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

// ANCHOR: wrong
struct Pooled {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let pool = Arc::clone(&self.pool);
        let connection = self.connection.take();
        // Wrong: outside a runtime, `spawn` panics.
        tokio::spawn(async move {
            pool.idle.lock().await.extend(connection);
        });
    }
}

/// Opens a report, which keeps its connection, and drops it in
/// synchronous code, as in a destructor or at the end of `main`.
fn print_report(pool: &Arc<Pool>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    let report = runtime.block_on(pool.get());
    drop(report);
    Ok(())
}
// ANCHOR_END: wrong

/// Stands for a connection to a database.
struct Connection;

impl Pool {
    fn new(connections: usize) -> Arc<Self> {
        let idle = (0..connections).map(|_| Connection).collect();
        let permits = Arc::new(Semaphore::new(connections));
        Arc::new(Self { idle: Mutex::new(idle), permits })
    }

    async fn get(self: &Arc<Self>) -> Pooled {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let _permit = permit.expect("it is never closed");
        let connection = self.idle.lock().await.pop();
        Pooled { pool: Arc::clone(self), connection, _permit }
    }
}

/// What the panic says, if there is one.
fn panic_of(call: impl FnOnce() -> io::Result<()>) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(call)).err()?;
    match panic.downcast::<String>() {
        Ok(text) => Some(*text),
        Err(other) => {
            let text = other.downcast::<&str>().ok()?;
            Some(text.to_string())
        }
    }
}

fn main() {
    // What the panic says is printed below.
    std::panic::set_hook(Box::new(|_| ()));
    let pool = Pool::new(1);
    match panic_of(|| print_report(&pool)) {
        Some(panic) => println!("panic: {panic}"),
        None => println!("no panic"),
    }
    println!("permits: {}", pool.permits.available_permits());
    println!("idle:    {}", pool.idle.blocking_lock().len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_gone_runtime_is_dropped() {
        let pool = Pool::new(1);
        let panic = panic_of(|| print_report(&pool));
        let panic = panic.expect("it panics");
        assert!(panic.starts_with("there is no reactor running"));
        assert_eq!(pool.permits.available_permits(), 1);
        assert!(pool.idle.blocking_lock().is_empty());
    }

    #[test]
    fn owner_gone_runtime_is_shutting_down() -> io::Result<()> {
        let pool = Pool::new(1);
        let runtime = Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let pooled = pool.get().await;
            let task = tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(pooled);
            });
            tokio::task::yield_now().await;
            assert!(!task.is_finished());
        });
        drop(runtime);
        assert_eq!(pool.permits.available_permits(), 1);
        assert!(pool.idle.blocking_lock().is_empty());
        Ok(())
    }
}
