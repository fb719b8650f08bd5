//! Wrong: a recursive `async fn` implements a method whose future is declared `Send`.

// ANCHOR: wrong
trait Count {
    fn count(&self) -> impl Future<Output = usize> + Send;
}

impl Count for Page {
    async fn count(&self) -> usize {
        let mut pages = 1;
        for link in &self.links {
            pages += Box::pin(link.count()).await;
        }
        pages
    }
}
// ANCHOR_END: wrong

struct Page {
    links: Vec<Page>,
}

#[tokio::main]
async fn main() {
    let home = Page { links: Vec::new() };
    println!("{} pages", home.count().await);
}
