//! Wrong: the closure lends `self` to a future that outlives the call.

use futures::{StreamExt, stream};

struct Library {
    lent: Vec<u32>,
}

impl Library {
    async fn lend(&mut self, book: u32) {
        self.lent.push(book);
    }

    // ANCHOR: wrong
    async fn lend_all(&mut self) {
        stream::iter(1..=3).for_each(|book| self.lend(book)).await;
    }
    // ANCHOR_END: wrong
}

#[tokio::main]
async fn main() {
    let mut library = Library { lent: Vec::new() };
    library.lend_all().await;
    println!("lent: {:?}", library.lent);
}
