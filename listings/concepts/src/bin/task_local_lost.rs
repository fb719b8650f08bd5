//! Wrong: the spawned task doesn't inherit the request id.

// ANCHOR: wrong
tokio::task_local! {
    /// The id of the request that this code works for.
    static REQUEST: u32;
}

/// Wrong: a task-local belongs to the future in its `scope`, and the
/// spawned future is a different one. Returns the id that it sees.
async fn handle() -> Option<u32> {
    log("the order is placed");
    let mail = tokio::spawn(send_mail());
    mail.await.expect("it does not panic")
}
// ANCHOR_END: wrong

/// Writes a log line with the id of its request.
fn log(text: &str) -> Option<u32> {
    let request = REQUEST.try_with(|number| *number).ok();
    match request {
        Some(number) => println!("[request {number}] {text}"),
        None => println!("[no request] {text}"),
    }
    request
}

async fn send_mail() -> Option<u32> {
    log("the mail is sent")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    REQUEST.scope(7, handle()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_the_new_task_knows_its_request() {
        assert_eq!(REQUEST.scope(7, handle()).await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_task_knows_nothing() {
        REQUEST
            .scope(7, async {
                assert_eq!(REQUEST.get(), 7);
                let task = async { REQUEST.try_with(|it| *it).ok() };
                assert_eq!(tokio::spawn(task).await.ok(), Some(None));
            })
            .await;
    }
}
