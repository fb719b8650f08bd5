//! Wrong: without a flavor, `main` needs a runtime with several threads, and "rt" has none.
// Cargo.toml: tokio = { version = "1", features = ["macros", "rt"] }

#[tokio::main]
async fn main() {
    let count = tokio::spawn(async { 12 });
    println!("{:?}", count.await);
}
