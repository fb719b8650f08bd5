//! Wrong: the traits' methods aren't async, but the implementations are.

// ANCHOR: wrong
trait Mailer {
    fn send(&self, to: &str) -> bool;
}

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}

impl Default for Smtp {
    async fn default() -> Smtp {
        Smtp
    }
}
// ANCHOR_END: wrong

fn main() {}
