//! Wrong: the first task takes the `Arc` that the second one needs.

use std::sync::Arc;

use tokio::task::JoinSet;

struct Depot {
    name: String,
}

impl Depot {
    async fn receive(&self) {
        println!("{} receives", self.name);
    }

    async fn deliver(&self) {
        println!("{} delivers", self.name);
    }

    // ANCHOR: wrong
    async fn open(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { self.receive().await });
        tasks.spawn(async move { self.deliver().await });
        tasks.join_all().await;
    }
    // ANCHOR_END: wrong
}

#[tokio::main]
async fn main() {
    let depot = Arc::new(Depot { name: "Harbor".to_owned() });
    depot.open().await;
}
