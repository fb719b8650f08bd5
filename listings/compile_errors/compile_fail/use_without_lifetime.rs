//! Wrong: `use<>` says that the future borrows nothing, but it reads `draft` when it's polled.

// ANCHOR: wrong
fn send(draft: &str) -> impl Future<Output = usize> + use<> {
    async move { draft.to_uppercase().len() }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{} characters", send("Dear Ann").await);
}
