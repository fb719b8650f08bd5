//! Require `Sync`, borrow exclusively, or own the trait object.

use tokio::task::JoinError;

async fn count_pages() -> u32 {
    12
}

// ANCHOR: three_ways
trait Tariff {
    fn cents(&self, pages: u32) -> u32;
}

async fn shared(tariff: &(dyn Tariff + Sync)) -> u32 {
    let pages = count_pages().await;
    tariff.cents(pages)
}

async fn exclusive(tariff: &mut (dyn Tariff + Send)) -> u32 {
    let pages = count_pages().await;
    tariff.cents(pages)
}

async fn owned(tariff: Box<dyn Tariff + Send>) -> u32 {
    let pages = count_pages().await;
    tariff.cents(pages)
}
// ANCHOR_END: three_ways

struct PerPage(u32);

impl Tariff for PerPage {
    fn cents(&self, pages: u32) -> u32 {
        self.0 * pages
    }
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let task = tokio::spawn(async {
        let prices = [
            shared(&PerPage(5)).await,
            exclusive(&mut PerPage(6)).await,
            owned(Box::new(PerPage(7))).await,
        ];
        println!("{prices:?} cents");
    });
    task.await
}
