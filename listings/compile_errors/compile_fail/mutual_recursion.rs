//! Wrong: two async functions call each other without a box.

// ANCHOR: wrong
async fn visit(page: &Page) -> usize {
    1 + follow(&page.links).await
}

async fn follow(links: &[Page]) -> usize {
    let mut pages = 0;
    for page in links {
        pages += visit(page).await;
    }
    pages
}
// ANCHOR_END: wrong

struct Page {
    links: Vec<Page>,
}

#[tokio::main]
async fn main() {
    let home = Page { links: Vec::new() };
    println!("{} pages", visit(&home).await);
}
