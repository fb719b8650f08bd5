//! A load is a task of the cache, not of a caller. Its result stays in a `watch`, where `get` sees whether it failed.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

type Price = Result<u64, String>;
type Load = dyn Fn(u32) -> BoxFuture<'static, Price> + Send + Sync;

pub struct Prices {
    load: Arc<Load>,
    entries: Mutex<HashMap<u32, Entry>>,
}

struct Entry {
    price: watch::Receiver<Option<Price>>,
    _task: AbortOnDropHandle<()>,
}

impl Prices {
    pub fn new<L, F>(load: L) -> Self
    where
        L: Fn(u32) -> F + Send + Sync + 'static,
        F: Future<Output = Price> + Send + 'static,
    {
        Self {
            load: Arc::new(move |product| load(product).boxed()),
            entries: Mutex::default(),
        }
    }

    pub async fn get(&self, product: u32) -> Price {
        let mut price = self.price(product);
        match price.wait_for(Option::is_some).await {
            Ok(price) => price.clone().expect("it's there"),
            Err(_) => Err("the load was aborted: the runtime is shutting down".to_owned()),
        }
    }

    fn price(&self, product: u32) -> watch::Receiver<Option<Price>> {
        let mut entries = self.entries.lock().expect("no panic while it's locked");
        if let Some(entry) = entries.get(&product)
            && !matches!(*entry.price.borrow(), Some(Err(_)))
        {
            return entry.price.clone();
        }
        let (sender, price) = watch::channel(None);
        let load = Arc::clone(&self.load);
        let task = tokio::spawn(async move {
            // `load` itself may panic, too, not only its future.
            let load = AssertUnwindSafe(async { load(product).await });
            let loaded = load.catch_unwind().await;
            let loaded = loaded.unwrap_or_else(|_| Err(format!("loading {product} panicked")));
            sender.send_replace(Some(loaded));
        });
        let entry = Entry {
            price: price.clone(),
            _task: AbortOnDropHandle::new(task),
        };
        entries.insert(product, entry);
        price
    }
}
