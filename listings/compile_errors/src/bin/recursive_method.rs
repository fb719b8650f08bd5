//! A recursive method: write the trait's return type, and an async block.

// ANCHOR: method
use std::future::Future;

trait Count {
    fn count(&self) -> impl Future<Output = usize> + Send;
}

impl Count for Page {
    fn count(&self) -> impl Future<Output = usize> + Send {
        async move {
            let mut pages = 1;
            for link in &self.links {
                pages += Box::pin(link.count()).await;
            }
            pages
        }
    }
}
// ANCHOR_END: method

struct Page {
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{} pages", home.count().await);
}
