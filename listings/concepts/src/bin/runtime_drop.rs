//! Wrong: `main` returns before its task has finished.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

// ANCHOR: wrong
/// Wrong: when `main` returns, the runtime is dropped, which cancels
/// every task at its current `.await`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    tokio::spawn(send_mail());
    // Other work. Meanwhile, the mail task starts.
    sleep(Duration::from_millis(10)).await;
    println!("good night");
}
// ANCHOR_END: wrong

/// Sends a mail, which takes 100 ms.
async fn send_mail() {
    println!("sending");
    sleep(Duration::from_millis(100)).await;
    println!("sent");
    SENT.store(true, Ordering::Release);
}

static SENT: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn owner_gone_after_the_mail_is_sent() {
        main();
        // It isn't, because `main` doesn't wait for it.
        assert!(!SENT.load(Ordering::Acquire));
    }

    #[test]
    fn a_task_ends_with_its_runtime() {
        for mut builder in
            [Builder::new_current_thread(), Builder::new_multi_thread()]
        {
            let runtime =
                builder.enable_all().build().expect("a runtime");
            let is_sent = Arc::new(AtomicBool::new(false));
            let sent = Arc::clone(&is_sent);
            runtime.block_on(async {
                tokio::spawn(async move {
                    sleep(Duration::from_secs(86_400)).await;
                    sent.store(true, Ordering::Release);
                });
            });
            drop(runtime);
            assert!(!is_sent.load(Ordering::Acquire));
            // The task was dropped with everything that it owned.
            assert_eq!(Arc::strong_count(&is_sent), 1);
        }
    }
}
