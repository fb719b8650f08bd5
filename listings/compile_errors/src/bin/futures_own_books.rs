//! Let a future own what it uses, or borrow from a list that lives longer.

use std::pin::Pin;

use futures::future::join_all;

// ANCHOR: books
struct Book {
    title: &'static str,
}

impl Book {
    async fn read(&self) -> usize {
        self.title.len()
    }
}

fn read_new(
    title: &'static str,
) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    let book = Book { title };
    Box::pin(async move { book.read().await })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let books = [Book { title: "Emma" }, Book { title: "Susan" }];
    let borrowing = books.iter().map(|book| book.read());
    println!("{:?}", join_all(borrowing).await);

    let mut owning = Vec::new();
    for book in books {
        owning.push(async move { book.read().await });
    }
    println!("{:?}", join_all(owning).await);

    println!("{}", read_new("Persuasion").await);
}
// ANCHOR_END: books
