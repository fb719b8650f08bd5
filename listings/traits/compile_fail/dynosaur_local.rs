//! dynosaur's futures can't be spawned if the trait has an `async fn`.

// ANCHOR: wrong
use dynosaur::dynosaur;

/// Notifies a customer about an order.
#[dynosaur(DynNotify = dyn(box) Notify)]
trait Notify: Send + Sync {
    async fn notify(&self, order: u32);
}

fn notify_later(channel: Box<DynNotify<'static>>, order: u32) {
    tokio::spawn(async move { channel.notify(order).await });
}
// ANCHOR_END: wrong

struct Mail;

impl Notify for Mail {
    async fn notify(&self, order: u32) {
        println!("mail: order {order} is on its way");
    }
}

#[tokio::main]
async fn main() {
    notify_later(DynNotify::new_box(Mail), 7);
}
