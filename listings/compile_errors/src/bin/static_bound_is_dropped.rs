//! A value that's `'static` is dropped when its task finishes, long before the program does.

use tokio::task::JoinError;

// ANCHOR: main
struct Letter {
    to: String,
}

impl Drop for Letter {
    fn drop(&mut self) {
        println!("dropped: the letter to {}", self.to);
    }
}

/// Requires the same lifetime as `spawn` does.
fn check_static<T: 'static>(_: &T) {}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let letter = Letter { to: "ann".to_owned() };
    check_static(&letter);
    let task = tokio::spawn(async move {
        println!("sent: the letter to {}", letter.to);
    });
    task.await?;
    println!("the program is still running");
    Ok(())
}
// ANCHOR_END: main
