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

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    trait Countdown: Sync {
        fn from(&self, number: usize) -> BoxFuture<'_, usize> {
            Box::pin(async move {
                match number {
                    0 => 0,
                    _ => 1 + self.from(number - 1).await,
                }
            })
        }
    }

    impl Countdown for () {}

    #[tokio::test]
    async fn a_boxed_default_method_may_call_itself() {
        assert_eq!(().from(3).await, 3);
    }
}
