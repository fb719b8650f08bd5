//! Wrong: an async function spawns itself.

// ANCHOR: wrong
use tokio::task::{JoinError, JoinSet};

async fn visit(page: Page) -> Result<usize, JoinError> {
    let mut tasks = JoinSet::new();
    for link in page.links {
        tasks.spawn(visit(link));
    }
    let mut pages = 1;
    while let Some(visited) = tasks.join_next().await {
        pages += visited??;
    }
    Ok(pages)
}
// ANCHOR_END: wrong

struct Page {
    links: Vec<Page>,
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    println!("{}", visit(Page { links: Vec::new() }).await?);
    Ok(())
}
