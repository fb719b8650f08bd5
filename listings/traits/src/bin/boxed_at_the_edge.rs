//! Pair a native async trait with a second trait for `dyn`.

// ANCHOR: notify
use futures::future::BoxFuture;

/// Notifies a customer. This is the trait to implement.
trait Notify: Send + Sync {
    fn notify(&self, order: u32)
    -> impl Future<Output = String> + Send;
}

/// The same trait for `dyn`. Every `Notify` implements it.
trait DynNotify: Send + Sync {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String>;
}

impl<N: Notify> DynNotify for N {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String> {
        Box::pin(self.notify(order))
    }
}

/// The other direction: a trait object is a `Notify`, too.
impl Notify for Box<dyn DynNotify> {
    async fn notify(&self, order: u32) -> String {
        // Without `**`, the method would call itself forever.
        (**self).notify_boxed(order).await
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

/// Notifies twice without an additional box.
struct Twice<N>(N);

impl<N: Notify> Notify for Twice<N> {
    async fn notify(&self, order: u32) -> String {
        let first = self.0.notify(order).await;
        first + "; " + &self.0.notify(order).await
    }
}

/// The channels that the customer has chosen.
fn chosen() -> Vec<Box<dyn DynNotify>> {
    let any: Box<dyn DynNotify> = Box::new(Mail);
    vec![Box::new(Mail), Box::new(Twice(any))]
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
    async fn edges_a_boxed_one_inside_of_a_boxed_one() {
        let mut sent = Vec::new();
        for channel in chosen() {
            sent.push(channel.notify_boxed(7).await);
        }
        let mail = "mail: order 7 is on its way";
        assert_eq!(sent, [mail.to_owned(), format!("{mail}; {mail}")]);
        let deep: Box<dyn DynNotify> = Box::new(Mail);
        let deep: Box<dyn DynNotify> = Box::new(deep);
        assert_eq!(Twice(deep).notify(7).await, sent[1]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_both() {
        for channel in chosen() {
            let task =
                tokio::spawn(async move { channel.notify(7).await });
            assert!(task.await.expect("no panic").contains("order 7"));
        }
    }
}
