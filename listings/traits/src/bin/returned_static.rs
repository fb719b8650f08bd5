//! Return a future that borrows nothing: `use<>`.

// ANCHOR: mail
use tokio::{
    task::JoinError,
    time::{Duration, sleep},
};
use tokio_util::task::AbortOnDropHandle;

/// Reads the name now and sends the mail when it's polled.
fn send_mail(name: &str) -> impl Future<Output = usize> + use<> {
    let text = format!("Dear {name}, your order is on its way.");
    async move {
        sleep(Duration::from_millis(10)).await; // The server is slow.
        text.len()
    }
}

/// Sends the mail in a task, which is aborted if this is dropped.
async fn send_to(customer: u32) -> Result<usize, JoinError> {
    let name = format!("customer {customer}");
    let mail = tokio::spawn(send_mail(&name));
    AbortOnDropHandle::new(mail).await
}
// ANCHOR_END: mail

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    println!("{} letters", send_to(7).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        assert_eq!(send_to(7).await.expect("no panic"), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(send_to(7)).await;
            hazards::within(SOON, hazards::no_task_left()).await;
        })
        .await;
    }

    /// Too short for the mail to be sent.
    const SOON: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let owner = tokio::spawn(send_to(7));
        tokio::task::yield_now().await;
        owner.abort();
        hazards::within(SOON, hazards::no_task_left()).await;
    }

    /// The type has to be listed, but its lifetime isn't captured.
    fn send_to_all<T: AsRef<str>>(
        names: &[T],
    ) -> impl Future<Output = usize> + use<T> {
        let texts: Vec<_> =
            names.iter().map(|name| name.as_ref().len()).collect();
        async move { texts.len() }
    }

    #[tokio::test]
    async fn edges_a_generic_type_is_listed() {
        let names = vec!["Ann".to_owned(), "Bob".to_owned()];
        let sent = tokio::spawn(send_to_all(&names));
        assert_eq!(sent.await.ok(), Some(names.len()));
    }
}
