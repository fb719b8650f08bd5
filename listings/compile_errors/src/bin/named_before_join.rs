//! Give a temporary value a name, or create it inside an async block.

// ANCHOR: main
async fn find(title: &str) -> usize {
    title.len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let volume = 2;
    let title = format!("Emma, volume {volume}");
    let second =
        async { find(&format!("Persuasion, volume {volume}")).await };
    let found = tokio::join!(find(&title), second);
    println!("{found:?}");
}
// ANCHOR_END: main
