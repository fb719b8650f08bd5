//! Clone what you need out of a DashMap, and await afterward.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use dashmap::{DashMap, try_result::TryResult};

type Sessions = DashMap<u32, String>;

// ANCHOR: greet
async fn greet(sessions: Arc<Sessions>) -> usize {
    // A statement of its own, so the guard is dropped at its end.
    let user = sessions.get(&7).map(|user| user.clone());
    match user {
        Some(user) => send(&user).await,
        None => 0,
    }
}
// ANCHOR_END: greet

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

async fn send(user: &str) -> usize {
    sleep(Duration::from_millis(10)).await;
    assert!(user != "a bug", "a bug in the mail");
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
    use hazards::at_every_poll;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_greeting_and_a_writer() {
        let [meanwhile, afterward] = greet_and_rename().await;
        assert_eq!([meanwhile, afterward], ["renamed"; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_map_free() {
        at_every_poll(async |cancel| {
            let sessions = Arc::new(Sessions::new());
            sessions.insert(7, "Ada".to_owned());
            cancel.run(greet(Arc::clone(&sessions))).await;
            assert_eq!(rename(&sessions), "renamed");
        })
        .await;
    }

    #[tokio::test]
    async fn edges_of_a_session() {
        let sessions = Arc::new(Sessions::new());
        assert_eq!(greet(Arc::clone(&sessions)).await, 0);
        sessions.insert(7, String::new());
        assert_eq!(greet(sessions).await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_write_while_others_greet() {
        let sessions = Arc::new(Sessions::new());
        sessions.insert(7, "Ada".to_owned());
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let sessions = Arc::clone(&sessions);
            tasks.spawn(async move {
                sessions.insert(number % 10, "Ada".to_owned());
                greet(sessions).await
            });
        }
        assert_eq!(tasks.join_all().await, [3; 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_leaves_the_map_free() {
        let sessions = Arc::new(Sessions::new());
        sessions.insert(7, "a bug".to_owned());
        let panics = tokio::spawn(greet(Arc::clone(&sessions)));
        assert!(panics.await.is_err());
        assert_eq!(rename(&sessions), "renamed");
    }
}
