//! Return the boxed future that the trait asks for.

// ANCHOR: mailer
use futures::future::BoxFuture;

trait Mailer: Send + Sync {
    fn send<'a>(&'a self, to: &'a str) -> BoxFuture<'a, bool>;
}

struct Smtp;

impl Mailer for Smtp {
    fn send<'a>(&'a self, to: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move { to.contains('@') })
    }
}
// ANCHOR_END: mailer

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mailer: Box<dyn Mailer> = Box::new(Smtp);
    println!("sent: {}", mailer.send("ann@example.com").await);
}
