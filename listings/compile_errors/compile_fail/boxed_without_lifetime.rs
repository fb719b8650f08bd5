//! Wrong: without a lifetime, a boxed `dyn Future` borrows nothing.

use std::pin::Pin;

// ANCHOR: wrong
struct Mailer {
    footer: String,
}

impl Mailer {
    fn compose(&self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        Box::pin(async move { format!("Hello!\n{}", self.footer) })
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let footer = "To unsubscribe, reply.".to_owned();
    println!("{}", Mailer { footer }.compose().await);
}
