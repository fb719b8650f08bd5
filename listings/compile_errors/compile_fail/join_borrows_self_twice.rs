//! Wrong: two futures that run at the same time borrow the whole library.

struct Library {
    lent: u32,
    returned: u32,
}

// ANCHOR: wrong
impl Library {
    async fn lend(&mut self, books: u32) {
        self.lent += books;
    }

    async fn take_back(&mut self, books: u32) {
        self.returned += books;
    }

    async fn open(&mut self) {
        tokio::join!(self.lend(3), self.take_back(1));
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let mut library = Library { lent: 0, returned: 0 };
    library.open().await;
}
