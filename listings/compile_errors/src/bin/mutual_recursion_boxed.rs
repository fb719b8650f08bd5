//! Two async functions call each other: box one of the two calls.

// ANCHOR: visit
async fn visit(page: &Page) -> usize {
    println!("{}", page.title);
    1 + follow(&page.links).await
}

async fn follow(links: &[Page]) -> usize {
    let mut pages = 0;
    for page in links {
        pages += Box::pin(visit(page)).await;
    }
    pages
}
// ANCHOR_END: visit

struct Page {
    title: &'static str,
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let leaf = |title| Page { title, links: Vec::new() };
    let links = vec![leaf("news"), leaf("about")];
    let home = Page { title: "home", links };
    println!("{} pages", visit(&home).await);
}

#[cfg(test)]
mod tests {
    /// Something whose nodes can be counted.
    trait Count {
        async fn count(&self) -> usize;
    }

    struct Branch(Vec<Tree>);

    enum Tree {
        Leaf,
        Branch(Branch),
    }

    impl Count for Branch {
        async fn count(&self) -> usize {
            let mut nodes = 0;
            for tree in &self.0 {
                nodes += Box::pin(tree.count()).await;
            }
            nodes
        }
    }

    impl Count for Tree {
        async fn count(&self) -> usize {
            match self {
                Tree::Leaf => 1,
                Tree::Branch(branch) => 1 + branch.count().await,
            }
        }
    }

    #[tokio::test]
    async fn methods_of_two_types_need_one_box() {
        let tree = Tree::Branch(Branch(vec![Tree::Leaf, Tree::Leaf]));
        assert_eq!(tree.count().await, 3);
    }
}
