//! Wrong: the future borrows a string that's dropped before the future is polled.

async fn find(title: &str) -> usize {
    title.len()
}

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let volume = 2;
    let found = tokio::join!(
        find(&format!("Emma, volume {volume}")),
        find("Persuasion"),
    );
    println!("{found:?}");
}
// ANCHOR_END: wrong
