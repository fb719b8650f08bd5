//! Wrong: a task panics, but the program reports success.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: wrong
/// Wrong: the handles are dropped, so nothing sees how the tasks
/// ended. Each panic is only a message on stderr.
async fn send_all(customers: Vec<u32>) -> Result<usize, usize> {
    let count = customers.len();
    for customer in customers {
        tokio::spawn(send_mail(customer));
    }
    sleep(Duration::from_secs(1)).await;
    Ok(count)
}
// ANCHOR_END: wrong

/// Sends an email to a customer; the third has no address.
async fn send_mail(customer: u32) {
    assert!(customer != 3, "customer {customer} has no address");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match send_all(vec![1, 2, 3, 4]).await {
        Ok(sent) => println!("{sent} emails sent, no failures"),
        Err(failed) => println!("{failed} emails could not be sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn panic_is_a_failure_with_its_customer() {
        // The mistake: success, although a task panicked.
        assert_eq!(send_all(vec![1, 2, 3, 4]).await, Ok(4));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_stays_in_its_task_on_many_threads() {
        let joined = tokio::spawn(send_mail(3)).await;
        assert!(joined.expect_err("it panics").is_panic());
    }
}
