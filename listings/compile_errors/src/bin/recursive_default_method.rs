//! Move the recursion out of the default method, into a generic function.

// ANCHOR: default
trait Tree: Sized {
    fn children(&self) -> &[Self];

    async fn count(&self) -> usize {
        count(self).await
    }
}

async fn count<T: Tree>(tree: &T) -> usize {
    let mut nodes = 1;
    for child in tree.children() {
        nodes += Box::pin(count(child)).await;
    }
    nodes
}
// ANCHOR_END: default

struct Page {
    links: Vec<Page>,
}

impl Tree for Page {
    fn children(&self) -> &[Page] {
        &self.links
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{} pages", home.count().await);
}
