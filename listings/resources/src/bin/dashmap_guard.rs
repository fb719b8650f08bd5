//! Wrong: a reference into a DashMap is held across an await.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

// ANCHOR: wrong
use dashmap::{DashMap, try_result::TryResult};

type Sessions = DashMap<u32, String>;

/// Wrong: `user` is the guard of a shard. It's `Send`, so the compiler
/// accepts this, and the shard stays locked across the `.await`.
async fn greet(sessions: Arc<Sessions>) -> usize {
    let Some(user) = sessions.get(&7) else { return 0 };
    send(&user).await
}

/// Another task. `get_mut` or `insert` would block its whole thread.
fn rename(sessions: &Sessions) -> &'static str {
    match sessions.try_get_mut(&7) {
        TryResult::Present(mut user) => {
            user.push_str(" Lovelace");
            "renamed"
        }
        TryResult::Absent => "no such session",
        TryResult::Locked => "locked: this would block the thread",
    }
}
// ANCHOR_END: wrong

async fn send(user: &str) -> usize {
    sleep(Duration::from_millis(10)).await;
    user.len()
}

/// Renames a user while they are greeted, and once more afterward.
async fn greet_and_rename() -> [&'static str; 2] {
    let sessions = Arc::new(Sessions::new());
    sessions.insert(7, "Ada".to_owned());
    let greeting = tokio::spawn(greet(Arc::clone(&sessions)));
    sleep(Duration::from_millis(5)).await;
    let meanwhile = rename(&sessions);
    greeting.await.expect("it does not panic");
    [meanwhile, rename(&sessions)]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let [meanwhile, afterward] = greet_and_rename().await;
    println!("meanwhile: {meanwhile}");
    println!("afterward: {afterward}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_greeting_and_a_writer() {
        let [meanwhile, afterward] = greet_and_rename().await;
        assert!(meanwhile.starts_with("locked"));
        assert_eq!(afterward, "renamed");
    }
}
