//! A `JoinMap` knows the input of a task that panicked, and `shutdown` waits until the aborted tasks have ended.

use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio_util::task::JoinMap;

#[derive(Debug, PartialEq)]
pub enum Failure<E> {
    Returned { input: usize, error: E },
    Panicked { input: usize, message: String },
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
    let f = Arc::new(f);
    let mut inputs = inputs.into_iter().enumerate();
    let (mut calls, mut outputs) = (JoinMap::new(), BTreeMap::new());
    let failure = loop {
        while calls.len() < limit.get()
            && let Some((number, input)) = inputs.next()
        {
            let f = f.clone();
            // `f` itself may panic, too, so the task calls it.
            calls.spawn(number, async move { f(input).await });
        }
        match calls.join_next().await {
            None => return Ok(outputs.into_values().collect()),
            Some((number, Ok(Ok(output)))) => {
                outputs.insert(number, output);
            }
            Some((input, Ok(Err(error)))) => break Failure::Returned { input, error },
            Some((input, Err(error))) => {
                let message = match error.try_into_panic() {
                    Ok(panic) => message(&*panic),
                    Err(error) => error.to_string(),
                };
                break Failure::Panicked { input, message };
            }
        }
    };
    calls.shutdown().await;
    Err(failure)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
