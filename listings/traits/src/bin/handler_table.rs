//! Store async handlers of different types in one map.

// ANCHOR: table
use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;

/// A function from a request to a boxed future. The future owns its
/// request and borrows nothing, so it can be spawned.
type Handler =
    Arc<dyn Fn(String) -> BoxFuture<'static, String> + Send + Sync>;

#[derive(Default)]
struct Table(BTreeMap<&'static str, Handler>);

impl Table {
    /// Adds an ordinary async function or closure, boxed.
    fn add<F, Fut>(&mut self, path: &'static str, handler: F)
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = String> + Send + 'static,
    {
        let boxed: Handler =
            Arc::new(move |request| Box::pin(handler(request)));
        self.0.insert(path, boxed);
    }

    /// Returns the reply, or `None` if no handler has this path.
    async fn handle(
        &self,
        path: &str,
        request: String,
    ) -> Option<String> {
        Some(self.0.get(path)?(request).await)
    }
}
// ANCHOR_END: table

// ANCHOR: use
async fn order(request: String) -> String {
    format!("ordered: {request}")
}

fn table(shop: Arc<str>) -> Table {
    let mut table = Table::default();
    table.add("/order", order);
    table.add("/about", move |_request| {
        // Every call moves its own clone into the future.
        let shop = Arc::clone(&shop);
        async move { format!("this is {shop}") }
    });
    table
}
// ANCHOR_END: use

#[tokio::main]
async fn main() {
    let table = table("the tea shop".into());
    for path in ["/order", "/about", "/none"] {
        let answer = table.handle(path, "tea".into()).await;
        println!("{path}: {answer:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_no_such_path_and_the_same_path_twice() {
        let mut table = table("shop".into());
        assert_eq!(table.handle("", String::new()).await, None);
        let answer = table.handle("/order", String::new()).await;
        assert_eq!(answer.as_deref(), Some("ordered: "));
        // The last handler replaces the first.
        table.add("/order", async |_| "closed".to_owned());
        let answer = table.handle("/order", "tea".into()).await;
        assert_eq!(answer.as_deref(), Some("closed"));
    }

    #[tokio::test]
    async fn edges_a_handler_that_borrows_its_request() {
        type Borrowing = Box<
            dyn for<'a> Fn(&'a str) -> BoxFuture<'a, String>
                + Send
                + Sync,
        >;
        let handler: Borrowing = Box::new(|request| {
            Box::pin(async move { request.to_uppercase() })
        });
        assert_eq!(handler("tea").await, "TEA");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_table() {
        let table = Arc::new(table("shop".into()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let table = Arc::clone(&table);
            tasks.spawn(async move {
                table.handle("/order", number.to_string()).await
            });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn panic_of_one_handler_leaves_the_table() {
        let mut table = table("shop".into());
        table.add("/bad", async |_| panic!("no answer"));
        let table = Arc::new(table);
        let other = Arc::clone(&table);
        let bad = tokio::spawn(async move {
            other.handle("/bad", String::new()).await
        });
        assert!(bad.await.is_err_and(|error| error.is_panic()));
        let answer = table.handle("/about", String::new()).await;
        assert_eq!(answer.as_deref(), Some("this is shop"));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_handlers_future() {
        hazards::at_every_poll(async |cancel| {
            let held = Arc::new(());
            let mut table = table("shop".into());
            let inside = Arc::clone(&held);
            table.add("/slow", move |_| {
                let inside = Arc::clone(&inside);
                async move {
                    tokio::task::yield_now().await;
                    drop(inside);
                    String::new()
                }
            });
            cancel.run(table.handle("/slow", String::new())).await;
            // One reference here, and one in the handler.
            assert_eq!(Arc::strong_count(&held), 2);
        })
        .await;
    }
}
