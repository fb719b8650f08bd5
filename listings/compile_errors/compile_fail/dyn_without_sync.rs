//! Wrong: a reference to a trait object isn't `Send` if the trait doesn't require `Sync`.

async fn count_pages() -> u32 {
    12
}

// ANCHOR: wrong
trait Tariff: Send {
    fn cents(&self, pages: u32) -> u32;
}

async fn price(tariff: &dyn Tariff) -> u32 {
    let pages = count_pages().await;
    tariff.cents(pages)
}

struct PerPage(u32);

impl Tariff for PerPage {
    fn cents(&self, pages: u32) -> u32 {
        self.0 * pages
    }
}

#[tokio::main]
async fn main() {
    tokio::spawn(async { price(&PerPage(5)).await }).await.ok();
}
// ANCHOR_END: wrong
