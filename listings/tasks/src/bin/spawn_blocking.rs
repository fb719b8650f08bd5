//! Hash a password on a thread that is allowed to block.

use std::{cell::Cell, hint::black_box};

use tokio::task;

// ANCHOR: check
/// Checks a password. Meanwhile, the thread that polls this future can
/// poll other tasks.
///
/// Dropping this future doesn't stop the closure, not even one that is
/// still queued. Only the pool limits how many closures run at the same
/// time.
async fn check(
    password: String,
    hash: u64,
) -> Result<bool, CheckError> {
    let computed = task::spawn_blocking(move || slow_hash(&password))
        // The outer layer: a panic, or the runtime is shutting down.
        .await
        .map_err(CheckError::Ended)?
        // The inner layer: the closure's own result.
        .map_err(CheckError::Refused)?;
    Ok(computed == hash)
}
// ANCHOR_END: check

#[derive(Debug)]
enum CheckError {
    Ended(task::JoinError),
    Refused(&'static str),
}

thread_local! {
    /// How many passwords this thread has hashed.
    static HASHED: Cell<u32> = const { Cell::new(0) };
}

/// Slow on purpose, so that guessing passwords is slow, too.
fn slow_hash(password: &str) -> Result<u64, &'static str> {
    HASHED.set(HASHED.get() + 1);
    if password.len() > 72 {
        return Err("a password has 72 bytes at most");
    }
    assert!(!password.contains('\0'), "a password is text");
    let mut hash = 7u64;
    for round in 0..200_000u64 {
        for byte in password.bytes() {
            hash = black_box(hash.rotate_left(5) ^ u64::from(byte));
        }
        hash = hash.wrapping_add(round);
    }
    Ok(hash)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let stored = slow_hash("correct horse").expect("it is short");
    let answer = |checked: Result<bool, CheckError>| match checked {
        Ok(true) => "welcome".to_owned(),
        Ok(false) => "wrong password".to_owned(),
        Err(CheckError::Refused(why)) => why.to_owned(),
        Err(CheckError::Ended(error)) => error.to_string(),
    };
    println!("{}", answer(check("correct horse".into(), stored).await));
    println!(
        "{}",
        answer(check("battery staple".into(), stored).await)
    );
    println!("{}", answer(check("x".repeat(100), stored).await));
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn edges_of_the_password() {
        for text in ["", "a", "\u{fc}ber", &"x".repeat(72)] {
            let hash = slow_hash(text).expect("it is short");
            assert!(
                check(text.into(), hash).await.expect("it is short")
            );
            let other = check("b".into(), hash).await;
            assert!(!other.expect("it is short"));
        }
    }

    #[tokio::test]
    async fn panic_of_the_closure_is_returned() {
        let Err(CheckError::Ended(error)) = check("\0".into(), 0).await
        else {
            panic!("it panicked");
        };
        assert!(error.to_string().contains("a password is text"));
    }

    #[tokio::test]
    async fn failure_of_the_closure_is_returned() {
        let refused = check("x".repeat(100), 0).await;
        assert!(matches!(refused, Err(CheckError::Refused(_))));
    }

    #[tokio::test]
    async fn cancel_leaves_the_pool_usable() {
        let hash = slow_hash("a").expect("it is short");
        at_every_poll(async |cancel| {
            cancel.run(check("a".into(), hash)).await;
            assert!(
                check("a".into(), hash).await.expect("it is short")
            );
        })
        .await;
    }

    /// The runtime has only one thread for closures.
    #[test]
    fn cancel_leaves_a_queued_closure_in_the_queue() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let hashed = runtime.block_on(async {
            task::spawn_blocking(move || wait.recv());
            let queued = futures::poll!(Box::pin(check("a".into(), 0)));
            assert!(queued.is_pending());
            drop(go_on);
            task::spawn_blocking(|| HASHED.get()).await
        });
        assert_eq!(hashed.expect("no panic"), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_check_many_at_the_same_time() {
        let hash = slow_hash("a").expect("it is short");
        let checks: Vec<_> = (0..8)
            .map(|_| tokio::spawn(check("a".into(), hash)))
            .collect();
        for check in checks {
            let checked = check.await.expect("no panic");
            assert!(checked.expect("it is short"));
        }
    }
}
