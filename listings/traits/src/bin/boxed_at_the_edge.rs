//! A native trait, and a second one for `dyn` that all of it have.

// ANCHOR: notify
use futures::future::BoxFuture;

/// Tells a customer of an order. This is the one to implement.
trait Notify: Send + Sync {
    fn notify(&self, order: u32)
    -> impl Future<Output = String> + Send;
}

/// The same, for `dyn`.
trait DynNotify: Send + Sync {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String>;
}

impl<N: Notify> DynNotify for N {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String> {
        Box::pin(self.notify(order))
    }
}
// ANCHOR_END: notify

// ANCHOR: use
struct Mail;

impl Notify for Mail {
    async fn notify(&self, order: u32) -> String {
        format!("mail: order {order} is on its way")
    }
}

/// Calls as many as it is made of, without a box for each.
struct Twice<N>(N);

impl<N: Notify> Notify for Twice<N> {
    async fn notify(&self, order: u32) -> String {
        let first = self.0.notify(order).await;
        first + "; " + &self.0.notify(order).await
    }
}

/// As the customer has chosen.
fn chosen() -> Vec<Box<dyn DynNotify>> {
    vec![Box::new(Mail), Box::new(Twice(Mail))]
}
// ANCHOR_END: use

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for channel in chosen() {
        println!("{}", channel.notify_boxed(7).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_are_called() {
        let mut told = Vec::new();
        for channel in chosen() {
            told.push(channel.notify_boxed(7).await);
        }
        let mail = "mail: order 7 is on its way";
        assert_eq!(told, [mail.to_owned(), format!("{mail}; {mail}")]);
    }
}
