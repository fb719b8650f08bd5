//! Wrong: the returned future captures the lifetime of `draft`, although it doesn't need it.

// ANCHOR: wrong
fn send(draft: &str) -> impl Future<Output = usize> {
    let letter = draft.to_uppercase();
    async move { letter.len() }
}

#[tokio::main]
async fn main() {
    let mut draft = "Dear Ann".to_owned();
    let sending = send(&draft);
    draft.push_str(", and Bob");
    println!("{} characters", sending.await);
}
// ANCHOR_END: wrong
