//! Wrong: an async function calls itself without a box.

async fn count(folder: &Folder) -> usize {
    let mut files = folder.files;
    for below in &folder.below {
        files += count(below).await;
    }
    files
}

struct Folder {
    files: usize,
    below: Vec<Folder>,
}

#[tokio::main]
async fn main() {
    let root = Folder { files: 2, below: Vec::new() };
    println!("{}", count(&root).await);
}
