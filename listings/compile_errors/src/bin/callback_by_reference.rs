//! Pass the same reference to every level.

// ANCHOR: visit
async fn visit<F>(page: &Page, report: &F)
where
    F: AsyncFn(&str),
{
    report(page.title).await;
    for link in &page.links {
        Box::pin(visit(link, report)).await;
    }
}
// ANCHOR_END: visit

struct Page {
    title: &'static str,
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let news = Page { title: "news", links: Vec::new() };
    let home = Page { title: "home", links: vec![news] };
    visit(&home, &async |title: &str| println!("{title}")).await;
}
