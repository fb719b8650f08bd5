//! A value that looks for a runtime when it is dropped.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use tokio::runtime::Handle;

// ANCHOR: looks
struct Session {
    number: u32,
}

impl Drop for Session {
    /// Says goodbye, where a runtime is. Where none is, the server
    /// finds out by itself, after its timeout.
    fn drop(&mut self) {
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(say_goodbye(self.number));
            }
            Err(error) => {
                println!("session {}: {error}", self.number);
            }
        }
    }
}

/// What was made in the runtime is dropped in it, at the end.
fn test() -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let session = Session { number: 6 };
        drop(session);
        // The goodbye is a task: it needs a turn.
        tokio::task::yield_now().await;
    });

    let late = runtime.block_on(async { Session { number: 7 } });
    drop(runtime);
    drop(late);
    Ok(())
}
// ANCHOR_END: looks

static GOODBYES: AtomicU32 = AtomicU32::new(0);

async fn say_goodbye(number: u32) {
    GOODBYES.fetch_add(1, Relaxed);
    println!("session {number}: goodbye");
}

fn main() -> io::Result<()> {
    test()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_panics_and_one_says_goodbye() -> io::Result<()> {
        test()?;
        assert_eq!(GOODBYES.load(Relaxed), 1);
        Ok(())
    }
}
