//! Find the order whose task panicked by the id of the task.

// ANCHOR: label_all
use std::collections::HashMap;

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{error::Elapsed, timeout},
};

/// Labels all orders concurrently. Each outcome comes with the number
/// of its order, even if the outcome is a panic or a timeout.
///
/// Dropping this future aborts the tasks that are still running.
async fn label_all(
    orders: Vec<Order>,
) -> Vec<(u32, Result<Labeled, JoinError>)> {
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Id, u32> = HashMap::new();
    for order in orders {
        let number = order.number;
        let task = tasks.spawn(timeout(LIMIT, print_labels(order)));
        running.insert(task.id(), number);
    }

    let mut outcomes = Vec::new();
    while let Some(joined) = tasks.join_next_with_id().await {
        let (id, outcome) = match joined {
            Ok((id, grams)) => (id, Ok(grams)),
            Err(error) => (error.id(), Err(error)),
        };
        // Removed, because a later task may get the same id.
        let number =
            running.remove(&id).expect("every task was entered");
        outcomes.push((number, outcome));
    }
    outcomes
}
// ANCHOR_END: label_all

use std::{any::Any, time::Duration};

use tokio::time::sleep;

const LIMIT: Duration = Duration::from_secs(60);

type Labeled = Result<u32, Elapsed>;

/// An order to label, and how long the printer takes.
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
            Ok(Ok(grams)) => {
                println!("order {number}: {grams} g a parcel");
            }
            Ok(Err(_elapsed)) => println!("order {number}: too slow"),
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
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    const PRINTING: Duration = Duration::from_millis(1);

    fn order(number: u32, parcels: u32) -> Order {
        Order {
            number,
            grams: 10 * number,
            parcels,
            printing: PRINTING,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_order() {
        for panics in some_panic(20) {
            let orders = (0..20).map(|place| {
                order(place as u32, u32::from(!panics.contains(&place)))
            });
            let outcomes = label_all(orders.collect()).await;
            assert_eq!(outcomes.len(), 20);
            for (number, outcome) in outcomes {
                if panics.contains(&(number as usize)) {
                    let error = outcome.expect_err("no parcels");
                    let panic = error.into_panic();
                    let text = message(&*panic);
                    assert_eq!(text, "attempt to divide by zero");
                } else {
                    assert_eq!(outcome.ok(), Some(Ok(10 * number)));
                }
            }
        }
    }

    #[test]
    fn a_message_is_found_in_both_kinds_of_text() {
        assert_eq!(message(&"short"), "short");
        assert_eq!(message(&String::from("long")), "long");
        assert_eq!(message(&404), "no message");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let orders = (0..5).map(|number| order(number, 1));
            cancel.run(label_all(orders.collect())).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_printer_costs_only_its_order() {
        let mut silent = order(1, 1);
        silent.printing = 2 * HOUR;
        let work = label_all(vec![silent, order(2, 1)]);
        let outcomes = within(HOUR, work).await;
        let [(2, Ok(Ok(20))), (1, Ok(Err(_elapsed)))] = &outcomes[..]
        else {
            panic!("{outcomes:?}");
        };
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_order_and_the_same_number_twice() {
        assert!(within(HOUR, label_all(Vec::new())).await.is_empty());
        let twice = label_all(vec![order(7, 1), order(7, 0)]).await;
        let numbers: Vec<_> = twice.iter().map(|it| it.0).collect();
        assert_eq!(numbers, [7, 7]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_outcome_has_its_order() {
        let orders = (0..200).map(|number| order(number, 1)).collect();
        let outcomes = label_all(orders).await;
        assert_eq!(outcomes.len(), 200);
        for (number, outcome) in outcomes {
            assert_eq!(outcome.ok(), Some(Ok(10 * number)));
        }
    }
}
