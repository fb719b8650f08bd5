//! Wrong: only the trait has the attribute.

// ANCHOR: wrong
use async_trait::async_trait;

#[async_trait]
trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}
// ANCHOR_END: wrong

fn main() {}
