//! Wrong: only the implementation has the attribute.

// ANCHOR: wrong
use async_trait::async_trait;

trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

struct Smtp;

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}
// ANCHOR_END: wrong

fn main() {}
