//! Wrong: the trait's method is async, but the implementation isn't.

// ANCHOR: wrong
trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

struct Offline;

impl Mailer for Offline {
    fn send(&self, _to: &str) -> bool {
        false
    }
}
// ANCHOR_END: wrong

fn main() {}
