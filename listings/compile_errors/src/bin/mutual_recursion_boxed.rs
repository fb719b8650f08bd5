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
