//! Async methods behind `dyn`, by an attribute.

// ANCHOR: notify
use async_trait::async_trait;

/// Tells a customer of an order.
#[async_trait]
trait Notify: Send + Sync {
    async fn notify(&self, order: u32) -> String;
}

struct Mail;

#[async_trait]
impl Notify for Mail {
    async fn notify(&self, order: u32) -> String {
        format!("mail: order {order} is on its way")
    }
}

struct Text {
    number: u32,
}

#[async_trait]
impl Notify for Text {
    async fn notify(&self, order: u32) -> String {
        format!("text to {}: order {order}", self.number)
    }
}

/// As the customer has chosen.
fn chosen() -> Vec<Box<dyn Notify>> {
    vec![Box::new(Mail), Box::new(Text { number: 555_0100 })]
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
