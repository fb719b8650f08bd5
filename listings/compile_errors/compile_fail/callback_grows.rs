//! Wrong: each level passes a reference to its own reference.

// ANCHOR: wrong
async fn visit<F>(page: &Page, report: F)
where
    F: AsyncFn(&str),
{
    report(page.title).await;
    for link in &page.links {
        Box::pin(visit(link, &report)).await;
    }
}
// ANCHOR_END: wrong

struct Page {
    title: &'static str,
    links: Vec<Page>,
}

#[tokio::main]
async fn main() {
    let home = Page { title: "home", links: Vec::new() };
    visit(&home, async |title: &str| println!("{title}")).await;
}
