//! The request is handed to the task that is spawned.

// ANCHOR: handle
tokio::task_local! {
    /// The number of the request that this task works on.
    static REQUEST: u32;
}

/// Sets the same value in the new task.
async fn handle() {
    log("the order is placed");
    let mail = REQUEST.scope(REQUEST.get(), send_mail());
    tokio::spawn(mail).await.expect("it does not panic");
}
// ANCHOR_END: handle

/// Writes a line of the log, with the request that it belongs to.
fn log(text: &str) {
    let request = REQUEST.try_with(|number| *number).ok();
    match request {
        Some(number) => println!("[request {number}] {text}"),
        None => println!("[no request] {text}"),
    }
}

async fn send_mail() {
    log("the mail is sent");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    REQUEST.scope(7, handle()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_new_task_knows_its_request() {
        let task = REQUEST.scope(7, async { REQUEST.get() });
        assert_eq!(tokio::spawn(task).await.ok(), Some(7));
    }
}
