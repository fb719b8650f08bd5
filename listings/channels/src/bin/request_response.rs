//! A request carries the channel on which its answer comes back.

// ANCHOR: stock
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, timeout},
};

const LIMIT: Duration = Duration::from_secs(1);

/// How many of a product are there? `None`: it isn't sold here.
struct Question {
    product: &'static str,
    answer: oneshot::Sender<Option<u32>>,
}

#[derive(Debug, PartialEq)]
enum Unanswered {
    /// The stock has stopped. It never got the question.
    Closed,
    /// The stock dropped the question, or panicked.
    Dropped,
    /// No answer in time. The question may be unsent, in the queue,
    /// or in progress: a timeout doesn't say which.
    TooLate,
}

/// Asks, and waits a second for the answer.
async fn ask(
    stock: &mpsc::Sender<Question>,
    product: &'static str,
) -> Result<Option<u32>, Unanswered> {
    let (answer, answered) = oneshot::channel();
    let question = Question { product, answer };
    let asked = async {
        let sent = stock.send(question).await;
        sent.map_err(|_| Unanswered::Closed)?;
        answered.await.map_err(|_| Unanswered::Dropped)
    };
    // One timeout for both: sending the question, and the answer.
    let answer = timeout(LIMIT, asked).await;
    answer.unwrap_or(Err(Unanswered::TooLate))
}
// ANCHOR_END: stock

use tokio::time::sleep;

/// Answers one question after the other. Counting cocoa takes five
/// seconds, and at the question for salt, the stock ends.
async fn stock(mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.recv().await {
        let Question { product, mut answer } = question;
        let count = match product {
            "tea" => Some(12),
            "cocoa" => tokio::select! {
                // Nobody waits anymore: on to the next question.
                () = answer.closed() => continue,
                () = sleep(Duration::from_secs(5)) => Some(3),
            },
            "salt" => return,
            _ => None,
        };
        // Fails if nobody waits anymore.
        _ = answer.send(count);
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (questions, asked) = mpsc::channel(8);
    let ask_all = async {
        for product in ["tea", "gold", "cocoa", "salt", "tea"] {
            let answer = ask(&questions, product).await;
            println!("{product:<6} {answer:?}");
        }
    };
    tokio::join!(ask_all, stock(asked));
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::time::Instant;

    use super::*;

    fn start() -> mpsc::Sender<Question> {
        let (questions, asked) = mpsc::channel(8);
        tokio::spawn(stock(asked));
        questions
    }

    #[tokio::test(start_paused = true)]
    async fn failure_each_outcome_is_another_one() {
        let stock = start();
        for (product, expected) in [
            ("tea", Ok(Some(12))),
            ("gold", Ok(None)),
            ("cocoa", Err(Unanswered::TooLate)),
            ("salt", Err(Unanswered::Dropped)),
            ("tea", Err(Unanswered::Closed)),
        ] {
            assert_eq!(ask(&stock, product).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_stock_ends_after_a_second() {
        let (stock, _asked) = mpsc::channel(8);
        let start = Instant::now();
        let asks = (0..17).map(|_| ask(&stock, "tea"));
        let answers = within(HOUR, join_all(asks)).await;
        let late = [const { Err(Unanswered::TooLate) }; 17];
        assert_eq!(answers, late);
        assert_eq!(start.elapsed(), LIMIT);
    }

    /// A reserved place outlives the stock, and a question sent to it
    /// stays there until the last sender is dropped. If `send` races
    /// with the end of the stock, the same can happen.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_question_that_no_stock_gets() {
        let (stock, asked) = mpsc::channel(8);
        let place = stock.reserve().await.expect("it runs");
        drop(asked);
        let (answer, mut answered) = oneshot::channel();
        place.send(Question { product: "tea", answer });
        assert!(timeout(HOUR, &mut answered).await.is_err());
        drop(stock);
        assert!(within(HOUR, answered).await.is_err());
    }

    /// The queue is full until the limit, so nothing is asked.
    #[tokio::test(start_paused = true)]
    async fn overload_of_the_queue_is_too_late_and_not_asked() {
        let (stock, mut asked) = mpsc::channel(1);
        let (early, late) =
            tokio::join!(ask(&stock, "tea"), ask(&stock, "gold"));
        assert_eq!(early, Err(Unanswered::TooLate));
        assert_eq!(late, Err(Unanswered::TooLate));
        drop(stock);
        let first = asked.recv().await.map(|it| it.product);
        assert_eq!(first, Some("tea"));
        assert!(asked.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_answered_or_too_late() {
        let stock = start();
        // Twenty that are slow, and one behind them.
        let asks = join_all((0..20).map(|_| ask(&stock, "cocoa")));
        let last = async {
            sleep(LIMIT / 2).await;
            ask(&stock, "tea").await
        };
        let (late, last) = tokio::join!(asks, last);
        let expected = [const { Err(Unanswered::TooLate) }; 20];
        assert_eq!(late, expected);
        // All of them have given up by then.
        assert_eq!(last, Ok(Some(12)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_stock_at_work() {
        at_every_poll(async |cancel| {
            let stock = start();
            cancel.run(ask(&stock, "tea")).await;
            assert_eq!(ask(&stock, "tea").await, Ok(Some(12)));
            drop(stock);
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_at_a_question_is_an_error() {
        let (stock, mut asked) = mpsc::channel::<Question>(8);
        let task = tokio::spawn(async move {
            let _question = asked.recv().await;
            panic!("the stock is broken");
        });
        let answer = ask(&stock, "tea").await;
        assert_eq!(answer, Err(Unanswered::Dropped));
        let answer = ask(&stock, "tea").await;
        assert_eq!(answer, Err(Unanswered::Closed));
        assert!(task.await.expect_err("it panics").is_panic());
    }

    #[tokio::test(start_paused = true)]
    async fn failure_a_question_in_the_queue_is_dropped() {
        let (stock, asked) = mpsc::channel::<Question>(8);
        let stops = async {
            sleep(LIMIT / 2).await;
            drop(asked);
        };
        let (answer, ()) = tokio::join!(ask(&stock, "tea"), stops);
        assert_eq!(answer, Err(Unanswered::Dropped));
    }

    #[tokio::test(start_paused = true)]
    async fn clock_an_answer_in_the_last_moment_counts() {
        let (stock, mut asked) = mpsc::channel::<Question>(8);
        let answer = async {
            let question = asked.recv().await.expect("one asks");
            sleep(LIMIT).await;
            question.answer.send(Some(7))
        };
        let (asked, sent) = tokio::join!(ask(&stock, "tea"), answer);
        // Either both know of the answer, or neither does.
        assert_eq!(asked.is_ok(), sent.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_their_own_answers() {
        let stock = start();
        let mut asks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let stock = stock.clone();
            asks.spawn(async move {
                match number % 2 {
                    0 => ask(&stock, "tea").await == Ok(Some(12)),
                    _ => ask(&stock, "gold").await == Ok(None),
                }
            });
        }
        assert!(asks.join_all().await.into_iter().all(|it| it));
    }
}
