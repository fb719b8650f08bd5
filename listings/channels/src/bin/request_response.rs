//! A request carries the channel on which its answer comes back.

// ANCHOR: stock
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, error::Elapsed, sleep, timeout},
};

/// How many of a product there are?
struct Question {
    product: &'static str,
    answer: oneshot::Sender<u32>,
}

#[derive(Debug, PartialEq)]
enum Unanswered {
    /// The stock has ended, or panicked at this question.
    StockGone,
    TooLate,
}

/// Asks, and waits a second for the answer.
async fn ask(
    stock: &mpsc::Sender<Question>,
    product: &'static str,
) -> Result<u32, Unanswered> {
    let (answer, answered) = oneshot::channel();
    let question = Question { product, answer };
    let asked = async {
        stock
            .send(question)
            .await
            .map_err(|_| Unanswered::StockGone)?;
        answered.await.map_err(|_| Unanswered::StockGone)
    };
    let limit = Duration::from_secs(1);
    timeout(limit, asked)
        .await
        .map_err(|_: Elapsed| Unanswered::TooLate)?
}
// ANCHOR_END: stock

/// Answers one question after the other; slowly for cocoa, and not at
/// all for what it does not know.
async fn stock(mut questions: mpsc::Receiver<Question>) {
    while let Some(Question { product, answer }) =
        questions.recv().await
    {
        let count = match product {
            "tea" => 12,
            "cocoa" => {
                sleep(Duration::from_secs(5)).await;
                3
            }
            _ => continue, // Drops `answer`.
        };
        // Fails where nobody waits any more.
        let _ = answer.send(count);
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (questions, asked) = mpsc::channel(8);
    tokio::spawn(stock(asked));
    for product in ["tea", "gold", "cocoa"] {
        println!("{product:<6} {:?}", ask(&questions, product).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_outcome_is_told_apart() {
        let (questions, asked) = mpsc::channel(8);
        tokio::spawn(stock(asked));
        assert_eq!(ask(&questions, "tea").await, Ok(12));
        let gone = Err(Unanswered::StockGone);
        assert_eq!(ask(&questions, "gold").await, gone);
        let late = Err(Unanswered::TooLate);
        assert_eq!(ask(&questions, "cocoa").await, late);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stock_that_has_ended_is_told() {
        let (questions, asked) = mpsc::channel(8);
        drop(asked);
        let gone = Err(Unanswered::StockGone);
        assert_eq!(ask(&questions, "tea").await, gone);
    }
}
