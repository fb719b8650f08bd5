//! The task owns a share of the object.

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

    /// Opens in a task of its own. Call it on a clone of the `Arc`.
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

    #[tokio::test(flavor = "multi_thread")]
    async fn the_task_gives_its_share_back() {
        let shop = Arc::new(Shop { name: "Hill".to_owned() });
        let opened = Arc::clone(&shop).open_later();
        opened.await.expect("it does not panic");
        assert_eq!(shop.name, "Hill");
    }
}
