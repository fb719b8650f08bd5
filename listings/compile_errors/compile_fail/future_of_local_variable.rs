//! Wrong: the returned future borrows a variable of the function.

struct Book {
    title: &'static str,
}

impl Book {
    async fn read(&self) -> usize {
        self.title.len()
    }
}

// ANCHOR: wrong
fn read_new(title: &'static str) -> impl Future<Output = usize> {
    let book = Book { title };
    book.read()
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{}", read_new("Persuasion").await);
}
