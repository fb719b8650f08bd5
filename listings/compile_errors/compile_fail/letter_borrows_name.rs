//! Wrong: a task can't own a struct that borrows.

// ANCHOR: wrong
use tokio::task::JoinHandle;

struct Letter<'a> {
    to: &'a str,
}

impl Letter<'_> {
    fn send(self) -> JoinHandle<usize> {
        tokio::spawn(async move { self.to.len() })
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let name = "ann".to_owned();
    Letter { to: &name }.send().await.ok();
}
