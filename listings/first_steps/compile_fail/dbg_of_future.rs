//! Wrong: `dbg!` gets the future, and not its value.

async fn price(book: &str) -> usize {
    book.len()
}

#[tokio::main]
async fn main() {
    let cents = dbg!(price("Dune")).await;
    println!("{cents}");
}
