//! Wrong: the implementation's methods are not those of the trait.

// ANCHOR: wrong
trait Mailer {
    async fn connect(host: &str) -> Self;
    async fn send(&self, to: &str) -> bool;
    async fn close(self);
}

struct Smtp;

impl Mailer for Smtp {
    async fn connect(&self, _host: &str) -> Smtp {
        Smtp
    }

    async fn send(&self, to: &str, _text: &str) -> bool {
        to.contains('@')
    }

    async fn disconnect(self) {}
}
// ANCHOR_END: wrong

fn main() {}
