//! Whatever goes into a task owns its data: a `String` field, or a clone made before the `spawn`.

use tokio::task::JoinError;

// ANCHOR: letters
use tokio::task::{JoinHandle, JoinSet};

struct Letter {
    to: String,
}

impl Letter {
    fn send(self) -> JoinHandle<usize> {
        tokio::spawn(async move { self.to.len() })
    }
}

fn send_all(letters: &mut JoinSet<usize>, names: &[String]) {
    for name in names {
        let name = name.clone();
        letters.spawn(async move { name.len() });
    }
}
// ANCHOR_END: letters

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let names = ["ann".to_owned(), "bob".to_owned()];
    let letter = Letter { to: names[0].clone() };
    let first = letter.send().await?;
    let mut letters = JoinSet::new();
    send_all(&mut letters, &names);
    let all: usize = letters.join_all().await.iter().sum();
    println!("{first} and {all} characters");
    Ok(())
}
