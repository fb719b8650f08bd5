//! Wrong: a value that spawns when it is dropped outlives the runtime.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

// ANCHOR: wrong
struct Session {
    number: u32,
}

impl Drop for Session {
    /// Wrong: `spawn` needs a runtime, which may already be dropped.
    fn drop(&mut self) {
        tokio::spawn(say_goodbye(self.number));
    }
}

/// Like many tests, this one returns a value from the runtime and
/// drops the value at the end of the test.
fn test() -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build()?;
    let session = runtime.block_on(async { Session { number: 7 } });
    assert_eq!(session.number, 7);
    drop(runtime);
    Ok(())
}
// ANCHOR_END: wrong

async fn say_goodbye(_number: u32) {}

/// How the test ended: what the panic said.
fn verdict() -> String {
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(_) => "ok".to_owned(),
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(message) => format!("FAILED: {message}"),
            None => match panic.downcast_ref::<String>() {
                Some(message) => format!("FAILED: {message}"),
                None => "FAILED".to_owned(),
            },
        },
    }
}

fn main() {
    // What the panic says is printed below.
    std::panic::set_hook(Box::new(|_| ()));
    println!("{}", verdict());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_gone_a_session_is_dropped_after_its_runtime() {
        assert!(verdict().contains("there is no reactor running"));
    }

    #[tokio::test]
    async fn inside_of_it_it_can_be_dropped() {
        drop(Session { number: 7 });
    }

    #[tokio::test]
    #[should_panic(expected = "the assertion")]
    async fn also_by_a_panic() {
        let session = Session { number: 7 };
        assert_eq!(session.number, 8, "the assertion");
    }
}
