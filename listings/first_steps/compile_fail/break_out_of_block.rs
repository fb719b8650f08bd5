//! Wrong: a `break` in an async block can't leave the loop around the block.

async fn is_sold_out(book: &str) -> bool {
    book == "Emma"
}

#[tokio::main]
async fn main() {
    for book in ["Dune", "Emma", "Faust"] {
        let check = async {
            if is_sold_out(book).await {
                break;
            }
        };
        check.await;
    }
}
