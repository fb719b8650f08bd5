//! Pair a native async trait with a second trait for `dyn`.

use std::sync::Arc;

// ANCHOR: notify
use futures::future::BoxFuture;

/// Notifies a customer. This is the trait to implement and to call.
trait Notify: Send + Sync {
    fn notify(&self, order: u32)
    -> impl Future<Output = String> + Send;
}

/// The same trait for `dyn`. Every sized `Notify` implements it.
trait DynNotify: Send + Sync {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String>;
}

impl<N: Notify> DynNotify for N {
    fn notify_boxed(&self, order: u32) -> BoxFuture<'_, String> {
        Box::pin(self.notify(order))
    }
}

/// The other direction: a trait object is a `Notify`, too.
impl Notify for dyn DynNotify + '_ {
    async fn notify(&self, order: u32) -> String {
        self.notify_boxed(order).await
    }
}
// ANCHOR_END: notify

// ANCHOR: pointers
// A pointer to a `Notify` is a `Notify`. `N::notify` is the method
// of what it points to, and `self.notify` would be its own.
impl<N: Notify + ?Sized> Notify for Box<N> {
    async fn notify(&self, order: u32) -> String {
        N::notify(self, order).await
    }
}

impl<N: Notify + ?Sized> Notify for Arc<N> {
    async fn notify(&self, order: u32) -> String {
        N::notify(self, order).await
    }
}

impl<N: Notify + ?Sized> Notify for &N {
    async fn notify(&self, order: u32) -> String {
        N::notify(self, order).await
    }
}
// ANCHOR_END: pointers

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

async fn notify_all(order: u32) {
    for channel in chosen() {
        println!("{}", channel.notify(order).await);
    }
}
// ANCHOR_END: use

// ANCHOR: send
/// Generic code that knows nothing about trait objects.
async fn send(channel: impl Notify, order: u32) -> String {
    channel.notify(order).await
}

/// Passes every kind of pointer to the generic code.
async fn send_all() -> [String; 4] {
    let boxed: Box<dyn DynNotify> = Box::new(Mail);
    let shared: Arc<dyn DynNotify> = Arc::new(Mail);
    let borrowed: &dyn DynNotify = &Mail;
    [
        send(boxed, 1).await,
        send(Arc::clone(&shared), 2).await,
        send(&shared, 3).await,
        send(borrowed, 4).await,
    ]
}
// ANCHOR_END: send

// ANCHOR: boxes
use futures::FutureExt;

/// Counts the boxes of a call of each method through a trait object.
fn boxes() -> [u64; 2] {
    let channel: Box<dyn DynNotify> = Box::new(Mail);
    let none = allocations(|| Mail.notify(7).now_or_never());
    [
        allocations(|| channel.notify(7).now_or_never()),
        // This is the method of the `Box`, not of the object in it.
        allocations(|| channel.notify_boxed(7).now_or_never()),
    ]
    .map(|count| count - none)
}
// ANCHOR_END: boxes
fn allocations(call: impl FnOnce() -> Option<String>) -> u64 {
    let counted = allocation_counter::measure(|| {
        assert!(call().is_some(), "nothing to wait for");
    });
    counted.count_total
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    notify_all(7).await;
    for sent in send_all().await {
        println!("{sent}");
    }
    let [notify, notify_boxed] = boxes();
    println!("`notify`: {notify} box");
    println!("`notify_boxed`: {notify_boxed} boxes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_pointers_to_pointers_to_objects() {
        let mut sent = Vec::new();
        for channel in chosen() {
            sent.push(channel.notify(7).await);
        }
        let mail = "mail: order 7 is on its way";
        assert_eq!(sent, [mail.to_owned(), format!("{mail}; {mail}")]);
        let deep: Box<dyn DynNotify> = Box::new(Mail);
        let deep: Arc<dyn DynNotify> = Arc::new(deep);
        assert_eq!(Twice(&&&deep).notify(7).await, sent[1]);
        // A pointer to a known type needs no box.
        let known = Box::new(Arc::new(Mail));
        let known = allocations(|| known.notify(7).now_or_never());
        let none = allocations(|| Mail.notify(7).now_or_never());
        assert_eq!(known, none);
        assert_eq!(boxes(), [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_all() {
        let shared: Arc<dyn DynNotify> = Arc::new(Mail);
        let mut tasks = tokio::task::JoinSet::new();
        for order in 0..100 {
            tasks.spawn(send(Arc::clone(&shared), order));
        }
        for channel in chosen() {
            tasks.spawn(send(channel, 100));
        }
        tasks.spawn(async { send_all().await.concat() });
        let sent = tasks.join_all().await;
        assert!(sent.iter().all(|sent| sent.contains("order")));
    }
}
