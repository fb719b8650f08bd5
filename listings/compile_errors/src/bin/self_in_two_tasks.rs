//! Each task gets an `Arc` of the depot.

use std::sync::Arc;

use tokio::task::JoinSet;

// ANCHOR: depot
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

    async fn open(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let depot = Arc::clone(&self);
        tasks.spawn(async move { depot.receive().await });
        tasks.spawn(async move { self.deliver().await });
        tasks.join_all().await;
    }
}
// ANCHOR_END: depot

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let depot = Arc::new(Depot { name: "Harbor".to_owned() });
    depot.open().await;
}
