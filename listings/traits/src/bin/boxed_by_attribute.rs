//! Make async methods work behind `dyn` with async-trait.

// ANCHOR: notify
use async_trait::async_trait;

/// Notifies a customer.
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

/// The channels that the customer has chosen.
fn chosen() -> Vec<Box<dyn Notify>> {
    vec![Box::new(Mail), Box::new(Text { number: 555_0100 })]
}
// ANCHOR_END: notify

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    for channel in chosen() {
        // The future is `Send`, so a task can run it.
        let sent = tokio::spawn(async move { channel.notify(7).await });
        println!("{}", sent.await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        let mut sent = Vec::new();
        for channel in chosen() {
            let task = async move { channel.notify(7).await };
            sent.push(tokio::spawn(task).await.expect("no panic"));
        }
        assert_eq!(sent[0], "mail: order 7 is on its way");
        assert_eq!(sent[1], "text to 5550100: order 7");
    }
}
