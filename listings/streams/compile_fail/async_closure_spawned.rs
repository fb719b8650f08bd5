//! Wrong: a task passes an async closure that borrows what it captures.

use futures::{Stream, StreamExt, stream};

async fn write_all(
    rows: impl Stream<Item = u32>,
    mut write: impl AsyncFnMut(Vec<u32>),
) {
    let mut batches = std::pin::pin!(rows.chunks(10));
    while let Some(batch) = batches.next().await {
        write(batch).await;
    }
}

struct Database;

impl Database {
    async fn insert(&self, _rows: Vec<u32>) {
        tokio::task::yield_now().await;
    }
}

#[tokio::main]
async fn main() {
    let database = Database;
    let task = tokio::spawn(async move {
        let write = async |rows| database.insert(rows).await;
        write_all(stream::iter(0..25), write).await;
    });
    println!("{:?}", task.await);
}
