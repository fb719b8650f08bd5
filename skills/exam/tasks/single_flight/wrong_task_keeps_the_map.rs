//! Fails: dropping_it_ends_the_loads
//! The task that removes its own entry owns a share of the map, and nobody aborts it.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

type Price = Result<u64, String>;
type Load = Arc<dyn Fn(u32) -> BoxFuture<'static, Price> + Send + Sync>;
type Entries = Arc<Mutex<HashMap<u32, watch::Receiver<Option<Price>>>>>;

pub struct Prices {
    load: Load,
    entries: Entries,
}

impl Prices {
    pub fn new<L, F>(load: L) -> Self
    where
        L: Fn(u32) -> F + Send + Sync + 'static,
        F: Future<Output = Price> + Send + 'static,
    {
        Self {
            load: Arc::new(move |product| load(product).boxed()),
            entries: Entries::default(),
        }
    }

    pub async fn get(&self, product: u32) -> Price {
        let mut price = {
            let mut entries = self.entries.lock().unwrap();
            let entry = entries.entry(product).or_insert_with(|| {
                let (sender, price) = watch::channel(None);
                let (load, entries) = (self.load.clone(), self.entries.clone());
                tokio::spawn(async move {
                    let load = tokio::spawn(async move { load(product).await });
                    let price = load.await.unwrap_or_else(|e| Err(e.to_string()));
                    if price.is_err() {
                        entries.lock().unwrap().remove(&product);
                    }
                    sender.send_replace(Some(price));
                });
                price
            });
            entry.clone()
        };
        let price = price.wait_for(Option::is_some).await;
        price.map_err(|e| e.to_string())?.clone().unwrap()
    }
}
