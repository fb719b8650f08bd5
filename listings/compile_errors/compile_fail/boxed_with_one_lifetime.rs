//! Wrong: the box may borrow `self`, and it borrows `name`, too.

use futures::future::BoxFuture;

// ANCHOR: wrong
struct Mailer {
    footer: String,
}

impl Mailer {
    fn compose(&self, name: &str) -> BoxFuture<'_, String> {
        Box::pin(
            async move { format!("Dear {name}!\n{}", self.footer) },
        )
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let footer = "To unsubscribe, reply.".to_owned();
    println!("{}", Mailer { footer }.compose("ann").await);
}
