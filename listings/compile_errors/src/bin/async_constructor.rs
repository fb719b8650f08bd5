//! Make the trait's method async, or write an async function without a trait.

// ANCHOR: mailer
use std::{io, time::Duration};
use tokio::time;

struct Smtp {
    host: String,
}

impl Smtp {
    /// The trait `Default` can't await, but this can.
    async fn connect(host: &str) -> io::Result<Smtp> {
        time::sleep(Duration::from_millis(20)).await;
        Ok(Smtp { host: host.to_owned() })
    }
}

trait Mailer {
    async fn send(&self, to: &str) -> bool;
}

impl Mailer for Smtp {
    async fn send(&self, to: &str) -> bool {
        time::sleep(Duration::from_millis(5)).await;
        to.ends_with(&self.host)
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let smtp = Smtp::connect("example.com").await?;
    println!("sent: {}", smtp.send("ann@example.com").await);
    Ok(())
}
// ANCHOR_END: mailer
