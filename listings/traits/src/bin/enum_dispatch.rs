//! Use an enum instead of `dyn` if all types are known.

// ANCHOR: notify
struct Mail;

impl Mail {
    async fn notify(&self, order: u32) -> String {
        format!("mail: order {order} is on its way")
    }
}

struct Text {
    number: u32,
}

impl Text {
    async fn notify(&self, order: u32) -> String {
        format!("text to {}: order {order}", self.number)
    }
}

/// All channels that this program knows.
enum Channel {
    Mail(Mail),
    Text(Text),
}

impl Channel {
    async fn notify(&self, order: u32) -> String {
        match self {
            Self::Mail(mail) => mail.notify(order).await,
            Self::Text(text) => text.notify(order).await,
        }
    }
}
// ANCHOR_END: notify

/// The channels that the customer has chosen.
fn chosen() -> Vec<Channel> {
    vec![Channel::Mail(Mail), Channel::Text(Text { number: 555_0100 })]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for channel in chosen() {
        println!("{}", channel.notify(7).await);
    }
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
        assert!(sent[0].starts_with("mail"));
        assert!(sent[1].starts_with("text to 5550100"));
    }
}
