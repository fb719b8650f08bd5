//! Each branch borrows its own field.

// ANCHOR: library
struct Counter {
    books: u32,
}

impl Counter {
    async fn add(&mut self, books: u32) {
        self.books += books;
    }
}

struct Library {
    lent: Counter,
    returned: Counter,
}

impl Library {
    async fn open(&mut self) {
        tokio::join!(self.lent.add(3), self.returned.add(1));
    }
}
// ANCHOR_END: library

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (lent, returned) = (Counter { books: 0 }, Counter { books: 0 });
    let mut library = Library { lent, returned };
    library.open().await;
    println!(
        "lent: {}, returned: {}",
        library.lent.books, library.returned.books
    );
}
