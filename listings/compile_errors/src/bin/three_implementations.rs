//! Three ways to implement a method whose future is declared `Send`.

use std::future::{self, Future};

// ANCHOR: mailers
trait Mailer {
    fn send(&self, to: &str) -> impl Future<Output = bool> + Send;
}

struct Smtp;

impl Mailer for Smtp {
    /// The compiler checks that this future is `Send`.
    async fn send(&self, to: &str) -> bool {
        to.contains('@')
    }
}

struct Log;

impl Mailer for Log {
    fn send(&self, to: &str) -> impl Future<Output = bool> + Send {
        println!("a mail for {to}");
        async { true }
    }
}

struct Offline;

impl Mailer for Offline {
    /// There is nothing to await.
    fn send(&self, _to: &str) -> impl Future<Output = bool> + Send {
        future::ready(false)
    }
}
// ANCHOR_END: mailers

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("smtp:    {}", Smtp.send("ann@example.com").await);
    println!("log:     {}", Log.send("ann@example.com").await);
    println!("offline: {}", Offline.send("ann@example.com").await);
}
