//! Each task's end is looked at, and a panic is a failure like others.

use tokio::task::JoinSet;

// ANCHOR: send_all
/// Sends a mail to each customer, and returns how many were sent.
///
/// # Errors
///
/// How many could not be sent, for whatever reason.
async fn send_all(customers: Vec<u32>) -> Result<usize, usize> {
    let mut mails: JoinSet<_> =
        customers.into_iter().map(send_mail).collect();
    let (mut sent, mut failed) = (0, 0);
    while let Some(joined) = mails.join_next().await {
        match joined {
            Ok(()) => sent += 1,
            Err(error) => {
                println!("{error}");
                failed += 1;
            }
        }
    }
    if failed == 0 { Ok(sent) } else { Err(failed) }
}
// ANCHOR_END: send_all

/// Sends a mail to a customer; the third has no address.
async fn send_mail(customer: u32) {
    assert!(customer != 3, "customer {customer} has no address");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match send_all(vec![1, 2, 3, 4]).await {
        Ok(sent) => println!("{sent} mails sent, no failure"),
        Err(failed) => {
            println!("mails that could not be sent: {failed}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure() {
        assert_eq!(send_all(vec![1, 2, 3, 4]).await, Err(1));
        assert_eq!(send_all(vec![1, 2]).await, Ok(2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_a_failure_on_many_threads() {
        assert_eq!(send_all(vec![1, 2, 3, 4]).await, Err(1));
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
