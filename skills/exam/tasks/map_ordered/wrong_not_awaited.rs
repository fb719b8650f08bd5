//! Fails: nothing_runs_once_it_has_returned, a_panic_names_its_input
//! A dropped `JoinSet` aborts its tasks, but one that's being polled ends later; and `f` is called outside of the task.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use tokio::task::JoinSet;

#[derive(Debug, PartialEq)]
pub enum Failure<E> {
    Returned { input: usize, error: E },
    Panicked { input: usize, message: String },
}

fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => text.to_string(),
            Err(_) => "unknown".to_owned(),
        },
    }
}

pub async fn map_ordered<I, T, E, F, Fut>(
    inputs: Vec<I>,
    limit: NonZeroUsize,
    f: F,
) -> Result<Vec<T>, Failure<E>>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut outputs: Vec<Option<T>> = inputs.iter().map(|_| None).collect();
    let mut inputs = inputs.into_iter().enumerate();
    let mut calls = JoinSet::new();
    let mut numbers = HashMap::new();
    loop {
        while calls.len() < limit.get() {
            let Some((number, input)) = inputs.next() else {
                break;
            };
            numbers.insert(calls.spawn(f(input)).id(), number);
        }
        match calls.join_next_with_id().await {
            None => break,
            Some(Ok((id, Ok(output)))) => outputs[numbers[&id]] = Some(output),
            Some(Ok((id, Err(error)))) => {
                calls.abort_all();
                return Err(Failure::Returned {
                    input: numbers[&id],
                    error,
                });
            }
            Some(Err(error)) => {
                calls.abort_all();
                return Err(Failure::Panicked {
                    input: numbers[&error.id()],
                    message: message(error.into_panic()),
                });
            }
        }
    }
    Ok(outputs.into_iter().flatten().collect())
}
