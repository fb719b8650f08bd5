//! Fails: an_error_reaches_all_and_is_not_kept, callers_that_give_up_leave_the_load_running, a_slow_waiter_does_not_undo_the_next_load, a_panic_is_an_error
//! The load belongs to one caller: canceled with it, it starts again, and after an error each of the others loads again.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

type Price = Result<u64, String>;
type Load = Box<dyn Fn(u32) -> BoxFuture<'static, Price> + Send + Sync>;

pub struct Prices {
    load: Load,
    entries: Mutex<HashMap<u32, Arc<OnceCell<u64>>>>,
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
        let entry = {
            let mut entries = self.entries.lock().unwrap();
            Arc::clone(entries.entry(product).or_default())
        };
        let price = entry.get_or_try_init(|| (self.load)(product)).await?;
        Ok(*price)
    }
}
