//! Wrong: the implementation returns a `Result`, and the trait doesn't.

// ANCHOR: wrong
trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> Result<bool, String> {
        Ok(to.contains('@'))
    }
}
// ANCHOR_END: wrong

fn main() {}
