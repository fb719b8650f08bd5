//! Wrong: the futures borrow a variable that's dropped at the end of each iteration.

use futures::future::join_all;

struct Book {
    title: &'static str,
}

impl Book {
    async fn read(&self) -> usize {
        self.title.len()
    }
}

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let books = [Book { title: "Emma" }, Book { title: "Susan" }];
    let mut reading = Vec::new();
    for book in books {
        reading.push(book.read());
    }
    println!("{:?}", join_all(reading).await);
}
// ANCHOR_END: wrong
