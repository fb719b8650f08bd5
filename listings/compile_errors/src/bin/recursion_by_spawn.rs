//! Declare that the future is `Send`, and the function may spawn itself.

// ANCHOR: visit
use std::future::Future;
use tokio::task::{JoinError, JoinSet};

fn visit(
    page: Page,
) -> impl Future<Output = Result<usize, JoinError>> + Send {
    let Page { links } = page;
    async move {
        let mut tasks = JoinSet::new();
        for link in links {
            tasks.spawn(visit(link));
        }
        let mut pages = 1;
        while let Some(visited) = tasks.join_next().await {
            pages += visited??;
        }
        Ok(pages)
    }
}
// ANCHOR_END: visit

struct Page {
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{} pages", visit(home).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runtime polls each task by itself, so the polls don't nest.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_chain_of_tasks_does_not_overflow_the_stack() {
        const DEPTH: usize = 10_000;
        fn chain(left: usize) -> impl Future<Output = usize> + Send {
            let is_last = left == 0;
            async move {
                if is_last {
                    return 0;
                }
                1 + tokio::spawn(chain(left - 1)).await.unwrap_or(0)
            }
        }
        assert_eq!(chain(DEPTH).await, DEPTH);
    }

    #[tokio::test]
    async fn on_one_thread_an_async_fn_spawns_itself() {
        async fn chain(left: usize) -> usize {
            if left == 0 {
                return 0;
            }
            let next = tokio::task::spawn_local(chain(left - 1));
            1 + next.await.unwrap_or(0)
        }
        let here = tokio::task::LocalSet::new();
        assert_eq!(here.run_until(chain(3)).await, 3);
    }
}
