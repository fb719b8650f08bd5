//! Wrong: only one side writes the lifetime of `Mail`.

// ANCHOR: wrong
use async_trait::async_trait;

struct Mail<'a>(&'a str);

#[async_trait]
trait Mailer {
    async fn send(&self, mail: &Mail) -> bool;
}

struct Smtp;

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail<'_>) -> bool {
        mail.0.contains('@')
    }
}
// ANCHOR_END: wrong

fn main() {}
