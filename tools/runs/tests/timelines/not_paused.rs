//! Run in real time.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("no");
}
