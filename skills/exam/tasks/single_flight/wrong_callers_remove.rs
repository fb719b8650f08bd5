//! Fails: an_error_that_nobody_waited_for_is_not_kept, a_slow_waiter_does_not_undo_the_next_load, a_panic_is_an_error, dropping_it_ends_the_loads
//! Each caller that gets an error removes the entry, which by then may be that of the next load; `load` runs under the lock, and its task is detached.

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::Mutex;

type Price = Result<u64, String>;
type Load = Box<dyn Fn(u32) -> BoxFuture<'static, Price> + Send + Sync>;

pub struct Prices {
    load: Load,
    entries: Mutex<HashMap<u32, Shared<BoxFuture<'static, Price>>>>,
}

impl Prices {
    pub fn new<L, F>(load: L) -> Self
    where
        L: Fn(u32) -> F + Send + Sync + 'static,
        F: Future<Output = Price> + Send + 'static,
    {
        Self {
            load: Box::new(move |product| load(product).boxed()),
            entries: Mutex::default(),
        }
    }

    pub async fn get(&self, product: u32) -> Price {
        let price = {
            let mut entries = self.entries.lock().unwrap();
            let entry = entries.entry(product).or_insert_with(|| {
                let task = tokio::spawn((self.load)(product));
                let price = async { task.await.unwrap_or_else(|e| Err(e.to_string())) };
                price.boxed().shared()
            });
            entry.clone()
        };
        let price = price.await;
        if price.is_err() {
            self.entries.lock().unwrap().remove(&product);
        }
        price
    }
}
