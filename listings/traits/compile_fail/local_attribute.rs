//! The futures of `async_trait(?Send)` can't be spawned.

// ANCHOR: wrong
use std::sync::Arc;

use async_trait::async_trait;

/// Notifies a customer about an order.
#[async_trait(?Send)]
trait Notify: Send + Sync {
    async fn notify(&self, order: u32);
}

fn notify_later(channel: Arc<dyn Notify>, order: u32) {
    tokio::spawn(async move { channel.notify(order).await });
}
// ANCHOR_END: wrong

struct Mail;

#[async_trait(?Send)]
impl Notify for Mail {
    async fn notify(&self, order: u32) {
        println!("mail: order {order} is on its way");
    }
}

#[tokio::main]
async fn main() {
    notify_later(Arc::new(Mail), 7);
}
