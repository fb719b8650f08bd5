//! Hash a password on a thread that may compute for long.

use std::hint::black_box;

use tokio::task;

// ANCHOR: check
/// Checks a password. The thread that this runs on is free for other
/// tasks meanwhile.
///
/// Dropping this future does not stop the closure.
async fn check(
    password: String,
    hash: u64,
) -> Result<bool, CheckError> {
    let computed = task::spawn_blocking(move || slow_hash(&password))
        // The outer layer: the closure panicked, or the runtime ends.
        .await
        .map_err(CheckError::Ended)?
        // The inner layer: what the closure says.
        .map_err(CheckError::Refused)?;
    Ok(computed == hash)
}
// ANCHOR_END: check

#[derive(Debug)]
enum CheckError {
    Ended(task::JoinError),
    Refused(&'static str),
}

/// Takes a while on purpose, so that guessing does.
fn slow_hash(password: &str) -> Result<u64, &'static str> {
    if password.len() > 72 {
        return Err("a password has 72 bytes at most");
    }
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
    let told = |checked: Result<bool, CheckError>| match checked {
        Ok(true) => "welcome".to_owned(),
        Ok(false) => "wrong password".to_owned(),
        Err(CheckError::Refused(why)) => why.to_owned(),
        Err(CheckError::Ended(error)) => error.to_string(),
    };
    println!("{}", told(check("correct horse".into(), stored).await));
    println!("{}", told(check("battery staple".into(), stored).await));
    println!("{}", told(check("x".repeat(100), stored).await));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_checked() {
        let hash = slow_hash("a").expect("it is short");
        assert!(check("a".into(), hash).await.expect("it is short"));
        assert!(!check("b".into(), hash).await.expect("it is short"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_closure_refuses_comes_back() {
        let refused = check("x".repeat(100), 0).await;
        assert!(matches!(refused, Err(CheckError::Refused(_))));
    }
}
