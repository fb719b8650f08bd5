//! Wrong: the trait asks for a boxed future, and the implementation is an `async fn`.

// ANCHOR: wrong
use futures::future::BoxFuture;

trait Mailer {
    fn send<'a>(&'a self, to: &'a str) -> BoxFuture<'a, bool>;
}

struct Smtp;

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}
// ANCHOR_END: wrong

fn main() {}
