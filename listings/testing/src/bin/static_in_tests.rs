//! Wrong: a static keeps a task of the first test's runtime.

use std::{error::Error, io, sync::OnceLock};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
};

// ANCHOR: wrong
type Ask = oneshot::Sender<u32>;

static PRICES: OnceLock<mpsc::Sender<Ask>> = OnceLock::new();

/// Wrong: the answering task belongs to the runtime of the test that
/// asks first.
fn prices() -> &'static mpsc::Sender<Ask> {
    PRICES.get_or_init(|| {
        let (sender, asks) = mpsc::channel(8);
        tokio::spawn(answer(asks));
        sender
    })
}

/// What each of two tests does.
async fn price_of_tea() -> Result<u32, Box<dyn Error + Send + Sync>> {
    let (answer, price) = oneshot::channel();
    prices().send(answer).await?;
    Ok(price.await?)
}
// ANCHOR_END: wrong

async fn answer(mut asks: mpsc::Receiver<Ask>) {
    while let Some(answer) = asks.recv().await {
        // If the caller was dropped, the price isn't needed.
        let _canceled = answer.send(1250);
    }
}

/// Runs a test as `#[tokio::test]` does: in a runtime of its own.
fn verdict() -> io::Result<String> {
    let runtime = Builder::new_current_thread().build()?;
    Ok(match runtime.block_on(price_of_tea()) {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("FAILED: {error}"),
    })
}

fn main() -> io::Result<()> {
    println!("the first test:  {}", verdict()?);
    println!("the second test: {}", verdict()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_in_the_runtime_of_a_second_test() {
        assert_eq!(verdict().expect("a runtime"), "ok");
        let second = verdict().expect("a runtime");
        assert!(second.starts_with("FAILED"), "{second}");
    }
}
