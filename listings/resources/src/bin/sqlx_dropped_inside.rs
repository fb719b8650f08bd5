//! The thread has entered the runtime when it drops a connection.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::runtime::Runtime;

// ANCHOR: inside
fn report(runtime: &Runtime, pool: &SqlitePool) -> sqlx::Result<()> {
    // Until the end of this function, this thread is in the runtime.
    let _context = runtime.enter();
    let connection = runtime.block_on(pool.acquire())?;
    print_with(connection);
    Ok(())
}
// ANCHOR_END: inside

fn print_with(connection: PoolConnection<Sqlite>) {
    drop(connection);
}

/// What the panic says, if there is one.
fn panic_of(call: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(call)).err()?;
    match panic.downcast::<String>() {
        Ok(text) => Some(*text),
        Err(other) => {
            let text = other.downcast::<&str>().ok()?;
            Some(text.to_string())
        }
    }
}

fn open() -> Result<(Runtime, SqlitePool), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let pool = SqlitePool::connect("sqlite::memory:");
    let pool = runtime.block_on(pool)?;
    Ok((runtime, pool))
}

fn main() -> Result<(), Box<dyn Error>> {
    // What the panic says is printed below.
    std::panic::set_hook(Box::new(|_| ()));
    let (runtime, pool) = open()?;
    match panic_of(|| report(&runtime, &pool).expect("it is there")) {
        Some(panic) => println!("panic: {panic}"),
        None => println!("no panic"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_gone_outside_of_the_runtime() -> Result<(), Box<dyn Error>>
    {
        let (runtime, pool) = open()?;
        let report = || report(&runtime, &pool).expect("it is there");
        assert_eq!(panic_of(report), None);
        // And it goes back.
        runtime.block_on(pool.close());
        assert_eq!(pool.size(), 0);
        Ok(())
    }
}
