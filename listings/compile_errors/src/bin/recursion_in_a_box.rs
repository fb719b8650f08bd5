//! Box the recursive call, or let a plain function return the box.

// ANCHOR: two_ways
use futures::future::BoxFuture;

async fn count(page: &Page) -> usize {
    let mut pages = 1;
    for link in &page.links {
        pages += Box::pin(count(link)).await;
    }
    pages
}

fn count_boxed(page: &Page) -> BoxFuture<'_, usize> {
    Box::pin(async move {
        let mut pages = 1;
        for link in &page.links {
            pages += count_boxed(link).await;
        }
        pages
    })
}
// ANCHOR_END: two_ways

struct Page {
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{}", count(&home).await);
    println!("{}", count_boxed(&home).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails to compile if one of the two futures isn't `Send`.
    #[tokio::test]
    async fn both_can_be_spawned() {
        let home = Page { links: vec![Page { links: Vec::new() }] };
        let task = tokio::spawn(async move {
            (count(&home).await, count_boxed(&home).await)
        });
        assert_eq!(task.await.ok(), Some((2, 2)));
    }
}
