//! `dyn` for a native trait, generated.

// ANCHOR: notify
use dynosaur::dynosaur;

/// Tells a customer of an order.
#[dynosaur(DynNotify = dyn(box) Notify)]
trait Notify: Send + Sync {
    fn notify(&self, order: u32)
    -> impl Future<Output = String> + Send;
}

struct Mail;

impl Notify for Mail {
    async fn notify(&self, order: u32) -> String {
        format!("mail: order {order} is on its way")
    }
}

struct Text {
    number: u32,
}

impl Notify for Text {
    async fn notify(&self, order: u32) -> String {
        format!("text to {}: order {order}", self.number)
    }
}

/// As the customer has chosen.
fn chosen() -> Vec<Box<DynNotify<'static>>> {
    let text = Text { number: 555_0100 };
    vec![DynNotify::new_box(Mail), DynNotify::new_box(text)]
}
// ANCHOR_END: notify

/// Each in a task: the futures can be sent.
async fn notify_all(order: u32) -> Vec<String> {
    let tasks = chosen().into_iter().map(|channel| {
        tokio::spawn(async move { channel.notify(order).await })
    });
    let told = futures::future::join_all(tasks).await;
    told.into_iter().filter_map(Result::ok).collect()
}

#[tokio::main]
async fn main() {
    for told in notify_all(7).await {
        println!("{told}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_channel_is_used() {
        let told = notify_all(7).await;
        assert_eq!(told[0], "mail: order 7 is on its way");
        assert_eq!(told[1], "text to 5550100: order 7");
    }
}
