//! Read the argument before the `async` block, and declare with `use<>` that the future borrows nothing.

// ANCHOR: main
fn send(draft: &str) -> impl Future<Output = usize> + use<> {
    let letter = draft.to_uppercase();
    async move { letter.len() }
}

/// A generic function has to list its type parameters.
fn send_any<T: ToString>(
    draft: &T,
) -> impl Future<Output = usize> + use<T> {
    let letter = draft.to_string();
    async move { letter.len() }
}

#[tokio::main]
async fn main() {
    let mut draft = "Dear Ann".to_owned();
    let sending = (send(&draft), send_any(&draft));
    draft.push_str(", and Bob");
    println!("{} and {}", sending.0.await, sending.1.await);
    println!("{} characters in the draft", draft.len());
}
// ANCHOR_END: main
