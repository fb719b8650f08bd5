//! Print in every way.

use std::time::Duration;
use tokio::time::sleep;

mod inner {
    /// Awaits in a module of its own, which is found through `crate`.
    pub async fn rest() {
        crate::nap().await;
    }
}

async fn nap() {
    sleep(Duration::from_millis(10)).await;
}

async fn second(number: u32) {
    inner::rest().await;
    print!("second {number}, ");
    println!("{} {b}", "a", b = 'b');
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("first");
    let _ = tokio::spawn(second(2)).await;
    println!();
    print!("last");
}
