//! Generate the `dyn` type for a native trait with dynosaur.

// ANCHOR: notify
use dynosaur::dynosaur;

/// Notifies a customer.
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

/// The channels that the customer has chosen.
fn chosen() -> Vec<Box<DynNotify<'static>>> {
    let text = Text { number: 555_0100 };
    vec![DynNotify::new_box(Mail), DynNotify::new_box(text)]
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
