//! Wrong: `Box::new` doesn't pin, and `boxed` asks whether the future is `Send`.

// ANCHOR: wrong
use futures::FutureExt;

async fn count(page: &Page) -> usize {
    let mut pages = 1;
    for link in &page.links {
        pages += Box::new(count(link)).await;
    }
    pages
}

async fn weigh(page: &Page) -> usize {
    let mut bytes = page.bytes;
    for link in &page.links {
        bytes += weigh(link).boxed().await;
    }
    bytes
}
// ANCHOR_END: wrong

struct Page {
    bytes: usize,
    links: Vec<Page>,
}

#[tokio::main]
async fn main() {
    let home = Page { bytes: 10, links: Vec::new() };
    println!("{} {}", count(&home).await, weigh(&home).await);
}
