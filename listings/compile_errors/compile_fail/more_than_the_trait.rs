//! Wrong: the implementation promises `Send`, and the trait doesn't.

// ANCHOR: wrong
#![deny(refining_impl_trait)]

trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

struct Offline;

impl Mailer for Offline {
    fn send(&self, _: &str) -> impl Future<Output = bool> + Send {
        async { false }
    }
}
// ANCHOR_END: wrong

fn main() {
    drop(Offline.send("ann@example.com"));
}
