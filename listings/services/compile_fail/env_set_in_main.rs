//! Wrong: an environment variable is set while the runtime's threads are running.

#[tokio::main]
async fn main() {
    std::env::set_var("RUST_LOG", "info");
    println!("started");
}
