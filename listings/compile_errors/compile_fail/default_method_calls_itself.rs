//! Wrong: a default method calls itself.

// ANCHOR: wrong
trait Tree: Sized {
    fn children(&self) -> &[Self];

    async fn count(&self) -> usize {
        let mut nodes = 1;
        for child in self.children() {
            nodes += Box::pin(child.count()).await;
        }
        nodes
    }
}
// ANCHOR_END: wrong

fn main() {}
