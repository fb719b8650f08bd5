//! Put the attribute of async-trait on the trait and on each implementation.

// ANCHOR: mailer
use async_trait::async_trait;

struct Mail<'a> {
    to: &'a str,
}

#[async_trait]
trait Mailer: Send + Sync {
    async fn send(&self, mail: &Mail<'_>) -> bool;
}

struct Smtp;

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail<'_>) -> bool {
        mail.to.contains('@')
    }
}
// ANCHOR_END: mailer

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mailer: Box<dyn Mailer> = Box::new(Smtp);
    let mail = Mail { to: "ann@example.com" };
    println!("sent: {}", mailer.send(&mail).await);
}
