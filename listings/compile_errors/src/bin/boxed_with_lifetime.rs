//! Name what a boxed future borrows: `'_`, one lifetime for all arguments, or nothing at all.

use tokio::task::JoinError;

// ANCHOR: mailer
use std::pin::Pin;

use futures::future::BoxFuture;

struct Mailer {
    footer: String,
}

impl Mailer {
    /// Borrows `self`.
    fn compose(
        &self,
    ) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async move { format!("Hello! {}", self.footer) })
    }

    /// Borrows `self` and `name`.
    fn compose_for<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, String> {
        Box::pin(async move { format!("Dear {name}! {}", self.footer) })
    }

    /// Borrows nothing, so the future can be spawned.
    fn compose_later(&self) -> BoxFuture<'static, String> {
        let footer = self.footer.clone();
        Box::pin(async move { format!("Welcome! {footer}") })
    }
}
// ANCHOR_END: mailer

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let mailer = Mailer { footer: "Bye.".to_owned() };
    println!("{}", mailer.compose().await);
    println!("{}", mailer.compose_for("ann").await);
    println!("{}", tokio::spawn(mailer.compose_later()).await?);
    Ok(())
}
