//! Pass the request id to a spawned task.

use tokio::task::{JoinError, JoinHandle};

// ANCHOR: handle
tokio::task_local! {
    /// The id of the request that this code works for.
    static REQUEST: u32;
}

/// Spawns work with the request id of the caller, if there is one.
fn spawn_for_request<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match REQUEST.try_with(|number| *number) {
        Ok(number) => tokio::spawn(REQUEST.scope(number, work)),
        Err(_outside_of_a_request) => tokio::spawn(work),
    }
}

/// Places an order, and sends a mail in a new task.
///
/// If this is canceled, the task still sends the mail.
async fn handle() -> Result<(), JoinError> {
    log("the order is placed");
    spawn_for_request(send_mail()).await
}
// ANCHOR_END: handle

/// Writes a log line with the id of its request.
fn log(text: &str) -> Option<u32> {
    let request = REQUEST.try_with(|number| *number).ok();
    match request {
        Some(number) => println!("[request {number}] {text}"),
        None => println!("[no request] {text}"),
    }
    request
}

async fn send_mail() {
    log("the mail is sent");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    REQUEST.scope(7, handle()).await
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn edges_the_new_task_knows_its_request() {
        let number = async { log("in the task") };
        let task =
            REQUEST.scope(7, async { spawn_for_request(number).await });
        assert_eq!(task.await.ok(), Some(Some(7)));
        // Outside of a request, `get` would panic.
        let number = async { log("in the task") };
        assert_eq!(spawn_for_request(number).await.ok(), Some(None));
    }

    #[tokio::test]
    async fn panic_in_the_task_is_reported() {
        let broken = async { panic!("no address") };
        let task =
            REQUEST.scope(7, async { spawn_for_request(broken).await });
        let error = task.await.expect_err("it panics").to_string();
        assert!(error.contains("no address"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_their_requests_apart() {
        let tasks = (0..1000).map(|number| {
            REQUEST.scope(number, async {
                spawn_for_request(async {
                    tokio::task::yield_now().await;
                    REQUEST.get()
                })
                .await
            })
        });
        let numbers: Vec<u32> =
            join_all(tasks).await.into_iter().flatten().collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    }

    /// A task-local belongs to the future in its `scope`: another
    /// branch of the same task doesn't see it.
    #[tokio::test]
    async fn another_branch_of_the_task_does_not_see_it() {
        let inside = REQUEST.scope(7, async { log("inside") });
        let beside = async { log("beside") };
        assert_eq!(tokio::join!(inside, beside), (Some(7), None));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_mail_to_its_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(REQUEST.scope(7, handle())).await;
            hazards::no_task_left().await;
        })
        .await;
        // The mail is sent, although the caller has stopped waiting.
        hazards::at_every_poll(async |cancel| {
            let (done, is_done) = tokio::sync::oneshot::channel();
            let call = REQUEST.scope(7, async {
                let work = async {
                    tokio::task::yield_now().await;
                    done.send(REQUEST.get()).ok();
                };
                spawn_for_request(work).await
            });
            cancel.run(call).await;
            let number = (cancel.polls() > 0).then_some(7);
            assert_eq!(is_done.await.ok(), number);
        })
        .await;
    }
}
