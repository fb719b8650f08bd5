//! Every task is awaited, and a panic is reported as a failure.

// ANCHOR: send_all
use tokio::task::JoinError;
use tokio_util::task::JoinMap;

/// Sends an email to each customer, and returns how many were sent. If
/// one email never finishes, nothing is returned.
///
/// Dropping this future aborts the emails that are in progress.
///
/// # Errors
///
/// The customers whose email couldn't be sent, each with its panic.
async fn send_all(
    customers: Vec<u32>,
) -> Result<usize, Vec<(u32, JoinError)>> {
    let mut mails = JoinMap::new();
    for (place, &customer) in customers.iter().enumerate() {
        mails.spawn(place, send_mail(customer));
    }
    let mut failed = Vec::new();
    while let Some((place, joined)) = mails.join_next().await {
        if let Err(error) = joined {
            failed.push((customers[place], error));
        }
    }
    if failed.is_empty() { Ok(customers.len()) } else { Err(failed) }
}
// ANCHOR_END: send_all

/// Sends an email to a customer; the third has no address.
async fn send_mail(customer: u32) {
    assert!(customer != 3, "customer {customer} has no address");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match send_all(vec![1, 2, 3, 4]).await {
        Ok(sent) => println!("{sent} emails sent, no failures"),
        Err(failed) => {
            for (customer, error) in failed {
                println!("customer {customer}: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::task::JoinSet;

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: std::time::Duration =
        std::time::Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn panic_is_a_failure_with_its_customer() {
        for panics in some_panic(10) {
            let mut customers: Vec<_> = (10..20).collect();
            for &place in &panics {
                customers[place] = 3;
            }
            let failed = within(HOUR, send_all(customers)).await;
            let failed = failed.expect_err("one panics");
            assert_eq!(failed.len(), panics.len());
            for (customer, error) in failed {
                assert_eq!(customer, 3);
                assert!(error.to_string().contains("has no address"));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(send_all(vec![1, 2, 3])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_customer_and_one_twice() {
        assert_eq!(send_all(Vec::new()).await.ok(), Some(0));
        assert_eq!(send_all(vec![1, 1]).await.ok(), Some(2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_report_the_panic() {
        let failed = send_all(vec![1, 2, 3, 4]).await;
        assert_eq!(failed.expect_err("one panics").len(), 1);
    }

    #[tokio::test]
    #[should_panic(expected = "customer 3 has no address")]
    async fn join_all_panics_with_the_task() {
        let mails: JoinSet<_> =
            [1, 2, 3].map(send_mail).into_iter().collect();
        mails.join_all().await;
    }

    #[tokio::test]
    async fn try_join_of_handles_returns_the_error() {
        let [one, three] = [1, 3].map(send_mail).map(tokio::spawn);
        let joined = tokio::try_join!(one, three);
        assert!(joined.is_err_and(|error| error.is_panic()));
    }
}
