//! The inner future stands behind a box.

// ANCHOR: count
/// Counts the files of a folder and of all below it.
async fn count(folder: &Folder) -> usize {
    let mut files = folder.files;
    for below in &folder.below {
        files += Box::pin(count(below)).await;
    }
    files
}
// ANCHOR_END: count

struct Folder {
    files: usize,
    below: Vec<Folder>,
}

fn root() -> Folder {
    let leaf = |files| Folder { files, below: Vec::new() };
    Folder { files: 2, below: vec![leaf(3), leaf(4)] }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{} files", count(&root()).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn all_are_counted() {
        let task = tokio::spawn(async { count(&root()).await });
        assert_eq!(task.await.ok(), Some(9));
    }
}
