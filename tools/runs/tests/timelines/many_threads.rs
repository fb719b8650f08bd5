//! Run on several threads.

#[tokio::main]
async fn main() {
    println!("no");
}
