//! `join!` needs a box for each call; `join_all` doesn't.

// ANCHOR: both
use futures::future::join_all;

async fn sum(tree: &Tree) -> u32 {
    let Tree::Node(left, right) = tree else { return 1 };
    let (left, right) =
        tokio::join!(Box::pin(sum(left)), Box::pin(sum(right)));
    left + right
}

async fn count(page: &Page) -> usize {
    let pages = join_all(page.links.iter().map(count)).await;
    1 + pages.into_iter().sum::<usize>()
}
// ANCHOR_END: both

enum Tree {
    Leaf,
    Node(Box<Tree>, Box<Tree>),
}

struct Page {
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let node =
        |left, right| Tree::Node(Box::new(left), Box::new(right));
    let tree = node(Tree::Leaf, node(Tree::Leaf, Tree::Leaf));
    println!("{} leaves", sum(&tree).await);

    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{} pages", count(&home).await);
}
