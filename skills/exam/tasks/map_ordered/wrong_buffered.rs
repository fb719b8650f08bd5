//! Fails: a_slow_call_does_not_hold_up_the_others, a_failure_is_returned_at_once, a_panic_names_its_input, nothing_runs_once_it_has_returned
//! `buffered` keeps the place of a call until all before it are done, and yields their failures in order; the rest is only dropped.

use futures::{StreamExt, TryStreamExt, stream};
use std::num::NonZeroUsize;
use tokio_util::task::AbortOnDropHandle;

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
    stream::iter(inputs.into_iter().enumerate())
        .map(|(number, input)| {
            let call = AbortOnDropHandle::new(tokio::spawn(f(input)));
            async move {
                match call.await {
                    Ok(Ok(output)) => Ok(output),
                    Ok(Err(error)) => Err(Failure::Returned {
                        input: number,
                        error,
                    }),
                    Err(error) => {
                        let panic = error.into_panic();
                        let message = match panic.downcast::<String>() {
                            Ok(text) => *text,
                            Err(panic) => panic
                                .downcast_ref::<&str>()
                                .map_or_else(|| "unknown".to_owned(), |text| text.to_string()),
                        };
                        Err(Failure::Panicked {
                            input: number,
                            message,
                        })
                    }
                }
            }
        })
        .buffered(limit.get())
        .try_collect()
        .await
}
