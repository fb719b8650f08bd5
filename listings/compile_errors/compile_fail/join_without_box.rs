//! Wrong: `join!` keeps both futures in the future of its caller.

// ANCHOR: wrong
async fn sum(tree: &Tree) -> u32 {
    let Tree::Node(left, right) = tree else { return 1 };
    let (left, right) = tokio::join!(sum(left), sum(right));
    left + right
}
// ANCHOR_END: wrong

enum Tree {
    Leaf,
    Node(Box<Tree>, Box<Tree>),
}

#[tokio::main]
async fn main() {
    let tree = Tree::Node(Box::new(Tree::Leaf), Box::new(Tree::Leaf));
    println!("{}", sum(&tree).await);
}
