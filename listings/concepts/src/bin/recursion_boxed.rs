//! Box the inner future, and limit the depth.

// ANCHOR: count
/// The maximum depth. Every level needs some stack while it is
/// polled, although its future is on the heap.
const DEEPEST: usize = 100;

#[derive(Debug, PartialEq)]
struct TooDeep;

/// Counts the files of a folder and of all folders in it.
async fn count(
    folder: &Folder,
    depth: usize,
) -> Result<usize, TooDeep> {
    if depth > DEEPEST {
        return Err(TooDeep);
    }
    let mut files = folder.files;
    for inner in &folder.folders {
        files += Box::pin(count(inner, depth + 1)).await?;
    }
    Ok(files)
}
// ANCHOR_END: count

// ANCHOR: list
/// Does the same without recursion. `left` lists what remains.
async fn count_all(root: &Folder) -> usize {
    let mut files = 0;
    let mut left = vec![root];
    while let Some(folder) = left.pop() {
        files += folder.files;
        left.extend(&folder.folders);
    }
    files
}
// ANCHOR_END: list

struct Folder {
    files: usize,
    folders: Vec<Folder>,
}

fn root() -> Folder {
    let leaf = |files| Folder { files, folders: Vec::new() };
    Folder { files: 2, folders: vec![leaf(3), leaf(4)] }
}

/// A folder with that many levels of folders below it.
fn nested(depth: usize) -> Folder {
    let mut folder = Folder { files: 1, folders: Vec::new() };
    for _ in 0..depth {
        folder = Folder { files: 1, folders: vec![folder] };
    }
    folder
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("recursive:   {:?}", count(&root(), 0).await);
    println!("with a list: {}", count_all(&root()).await);
    println!("too deep:    {:?}", count(&nested(101), 0).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_all_files() {
        let task = tokio::spawn(async { count(&root(), 0).await });
        assert_eq!(task.await.ok(), Some(Ok(9)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_a_deep_folder_does_not_overflow_the_stack() {
        let task = tokio::spawn(async {
            let deepest = nested(DEEPEST);
            assert_eq!(count(&deepest, 0).await, Ok(DEEPEST + 1));
            let one_more = nested(DEEPEST + 1);
            assert_eq!(count(&one_more, 0).await, Err(TooDeep));
            let too_deep = nested(5000);
            assert_eq!(count(&too_deep, 0).await, Err(TooDeep));
            assert_eq!(count_all(&too_deep).await, 5001);
        });
        assert!(task.await.is_ok());
    }
}
