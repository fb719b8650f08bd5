//! Find out which order's task panicked, by the id of the task.

// ANCHOR: label_all
use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

/// Labels all orders at once. Each outcome stands beside the number
/// of its order, also when the outcome is a panic.
///
/// Dropping this future aborts the tasks that are still running.
async fn label_all(
    orders: Vec<Order>,
) -> Vec<(u32, Result<u32, JoinError>)> {
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Id, u32> = HashMap::new();
    for order in orders {
        let number = order.number;
        let task = tasks.spawn(print_labels(order));
        running.insert(task.id(), number);
    }

    let mut outcomes = Vec::new();
    while let Some(joined) = tasks.join_next_with_id().await {
        let (id, outcome) = match joined {
            Ok((id, grams)) => (id, Ok(grams)),
            Err(error) => (error.id(), Err(error)),
        };
        // Taken out: a later task may get the same id again.
        let number =
            running.remove(&id).expect("every task was entered");
        outcomes.push((number, outcome));
    }
    outcomes
}
// ANCHOR_END: label_all

use std::{any::Any, time::Duration};

use tokio::time::sleep;

/// What is to be sent, and how long the printer takes.
struct Order {
    number: u32,
    grams: u32,
    parcels: u32,
    printing: Duration,
}

/// Prints the labels of an order and returns the weight of a parcel.
async fn print_labels(order: Order) -> u32 {
    sleep(order.printing).await;
    order.grams / order.parcels
}

/// The message of a panic, if it is text.
fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let order = |number, grams, parcels, printing| Order {
        number,
        grams,
        parcels,
        printing: Duration::from_millis(printing),
    };
    let orders = vec![
        order(1, 900, 3, 400),
        order(2, 500, 1, 300),
        order(3, 700, 0, 200),
        order(4, 800, 2, 100),
    ];
    for (number, outcome) in label_all(orders).await {
        match outcome {
            Ok(grams) => println!("order {number}: {grams} g a parcel"),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => {
                    println!("order {number}: {}", message(&*panic));
                }
                Err(_aborted) => println!("order {number}: aborted"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTING: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_brought_back_to_its_order() {
        let mut outcomes = label_all(vec![
            Order {
                number: 7,
                grams: 700,
                parcels: 0,
                printing: PRINTING,
            },
            Order {
                number: 8,
                grams: 800,
                parcels: 2,
                printing: 2 * PRINTING,
            },
        ])
        .await
        .into_iter();
        let (number, outcome) = outcomes.next().expect("two orders");
        assert_eq!(number, 7);
        let panic = outcome.expect_err("no parcels").into_panic();
        assert_eq!(message(&*panic), "attempt to divide by zero");
        let (number, outcome) = outcomes.next().expect("two orders");
        assert_eq!((number, outcome.ok()), (8, Some(400)));
        assert!(outcomes.next().is_none());
    }

    #[test]
    fn a_message_is_found_in_both_kinds_of_text() {
        assert_eq!(message(&"short"), "short");
        assert_eq!(message(&String::from("long")), "long");
        assert_eq!(message(&404), "no message");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_outcome_has_its_order_on_many_threads() {
        let orders = (0..200)
            .map(|number| Order {
                number,
                grams: 10 * number,
                parcels: 1,
                printing: PRINTING,
            })
            .collect();
        let outcomes = label_all(orders).await;
        assert_eq!(outcomes.len(), 200);
        for (number, outcome) in outcomes {
            assert_eq!(outcome.ok(), Some(10 * number));
        }
    }
}
