//! Wrong: sqlx's connection needs a runtime to be dropped in.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::runtime::Runtime;

// ANCHOR: wrong
fn report(runtime: &Runtime, pool: &SqlitePool) -> sqlx::Result<()> {
    let connection = runtime.block_on(pool.acquire())?;
    print_with(connection);
    Ok(())
}

/// Wrong: `drop` spawns a task that returns the connection, and there
/// is no runtime here.
fn print_with(connection: PoolConnection<Sqlite>) {
    drop(connection);
}
// ANCHOR_END: wrong

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
        let panic = panic_of(report).expect("it panics");
        assert!(panic.contains("requires a Tokio context"));
        Ok(())
    }
}
