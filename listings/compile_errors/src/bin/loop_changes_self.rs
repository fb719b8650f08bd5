//! A loop borrows `self` for one item at a time.

use futures::{StreamExt, stream};

// ANCHOR: library
struct Library {
    lent: Vec<u32>,
}

impl Library {
    async fn lend(&mut self, book: u32) {
        self.lent.push(book);
    }

    async fn lend_all(&mut self) {
        let mut books = stream::iter(1..=3);
        while let Some(book) = books.next().await {
            self.lend(book).await;
        }
    }
}
// ANCHOR_END: library

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut library = Library { lent: Vec::new() };
    library.lend_all().await;
    println!("lent: {:?}", library.lent);
}
