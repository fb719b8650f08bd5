//! The block returns whether to stop, and the loop breaks after the await.

async fn is_sold_out(book: &str) -> bool {
    book == "Emma"
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() {
    for book in ["Dune", "Emma", "Faust"] {
        let check = async { is_sold_out(book).await };
        if check.await {
            println!("{book} is sold out");
            break;
        }
        println!("{book} is in stock");
    }
}
// ANCHOR_END: main
