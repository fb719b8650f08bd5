//! Let the task share ownership of the object, in an `Arc`.

use std::sync::Arc;

use tokio::task::JoinHandle;

// ANCHOR: shop
struct Shop {
    name: String,
}

impl Shop {
    async fn open(&self) {
        println!("{} is open", self.name);
    }

    /// Opens the shop in a new task, which continues if the handle is
    /// dropped. Call this on a clone of the `Arc`.
    fn open_later(self: Arc<Self>) -> JoinHandle<()> {
        tokio::spawn(async move { self.open().await })
    }
}
// ANCHOR_END: shop

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let shop = Arc::new(Shop { name: "Harbor".to_owned() });
    let opened = Arc::clone(&shop).open_later();
    opened.await.expect("it does not panic");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Arc<Shop> {
        Arc::new(Shop { name: "Hill".to_owned() })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_give_their_shares_back() {
        let shop = shop();
        for _ in 0..100 {
            let opened = Arc::clone(&shop).open_later();
            opened.await.expect("it does not panic");
        }
        // The task may still be dropping its own.
        while Arc::strong_count(&shop) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_the_task_owns_the_shop() {
        let shop = shop();
        let watched = Arc::downgrade(&shop);
        let opened = shop.open_later();
        assert!(watched.upgrade().is_some());
        opened.await.expect("it does not panic");
        hazards::no_task_left().await;
        assert!(watched.upgrade().is_none());
    }
}
