//! Every task is awaited, and a panic is reported as a failure.

// ANCHOR: send_all
use tokio::{
    task::JoinError,
    time::{Duration, timeout},
};
use tokio_util::task::JoinMap;

/// Sends an email to each customer, `MOST` at a time, and returns how
/// many were sent.
///
/// Dropping this future aborts the emails that are in progress.
///
/// # Errors
///
/// The customers whose email failed, each with the reason. An email
/// that was `TooSlow` may have been sent.
async fn send_all(
    customers: Vec<u32>,
) -> Result<usize, Vec<(u32, NotSent)>> {
    let mut mails = JoinMap::new();
    let mut waiting = customers.iter().enumerate();
    let mut failed = Vec::new();
    loop {
        let room = MOST - mails.len();
        for (place, &customer) in waiting.by_ref().take(room) {
            mails.spawn(place, timeout(LIMIT, send_mail(customer)));
        }
        let next = mails.join_next().await;
        let Some((place, joined)) = next else { break };
        let error = match joined {
            Ok(Ok(())) => continue,
            Ok(Err(_elapsed)) => NotSent::TooSlow,
            Err(error) => NotSent::Panicked(error),
        };
        failed.push((customers[place], error));
    }
    if failed.is_empty() { Ok(customers.len()) } else { Err(failed) }
}
// ANCHOR_END: send_all

#[derive(Debug)]
enum NotSent {
    Panicked(JoinError),
    /// It was dropped after `LIMIT`, and may have been sent.
    TooSlow,
}

const MOST: usize = 10;
const LIMIT: Duration = Duration::from_secs(10);

/// Sends an email to a customer. The third has no address, and the mail
/// server of the fifth never answers.
async fn send_mail(customer: u32) {
    if customer == 5 {
        std::future::pending::<()>().await;
    }
    assert!(customer != 3, "customer {customer} has no address");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match send_all(vec![1, 2, 3, 4]).await {
        Ok(sent) => println!("{sent} emails sent, no failures"),
        Err(failed) => {
            for (customer, error) in failed {
                match error {
                    NotSent::Panicked(error) => {
                        println!("customer {customer}: {error}");
                    }
                    NotSent::TooSlow => {
                        println!("customer {customer}: too slow");
                    }
                }
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
    const MOMENT: Duration = Duration::from_millis(2);

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
                let NotSent::Panicked(error) = error else {
                    panic!("{error:?}");
                };
                assert!(error.to_string().contains("has no address"));
            }
        }
    }

    /// More emails that hang than there are places.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_server_costs_only_its_emails() {
        let mut customers = vec![5; 15];
        customers.extend(10..20);
        let failed = within(HOUR, send_all(customers)).await;
        let failed = failed.expect_err("some hang");
        assert_eq!(failed.len(), 15);
        let too_slow =
            |it: &(_, _)| matches!(it, (5, NotSent::TooSlow));
        assert!(failed.iter().all(too_slow));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_the_server_is_bounded() {
        let start = tokio::time::Instant::now();
        let sent = within(HOUR, send_all(vec![5; 21])).await;
        assert_eq!(sent.expect_err("they hang").len(), 21);
        assert_eq!(start.elapsed(), 3 * LIMIT);
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
