//! Wrong: the returned future borrows a variable of the function.

use std::pin::Pin;

struct Book {
    title: &'static str,
}

impl Book {
    async fn read(&self) -> usize {
        self.title.len()
    }
}

// ANCHOR: wrong
fn read_new(
    title: &'static str,
) -> Pin<Box<dyn Future<Output = usize>>> {
    let book = Book { title };
    Box::pin(book.read())
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{}", read_new("Persuasion").await);
}
