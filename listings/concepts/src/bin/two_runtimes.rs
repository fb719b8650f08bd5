//! Wrong: a task is spawned on a runtime that no thread runs.

use std::{io, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinError,
    time::{sleep, timeout},
};

// ANCHOR: wrong
/// A client that owns a runtime.
struct Shop {
    runtime: Runtime,
}

impl Shop {
    fn new() -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime })
    }

    /// Wrong: the client's runtime runs its tasks only while a thread
    /// is in its `block_on`, and no thread ever is.
    async fn price(&self) -> Result<u32, JoinError> {
        self.runtime.spawn(ask_the_shop()).await
    }
}
// ANCHOR_END: wrong

/// Asks another server, which takes 50 ms.
async fn ask_the_shop() -> u32 {
    sleep(Duration::from_millis(50)).await;
    1250
}

/// A runtime with a paused clock.
fn own_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
}

fn main() -> io::Result<()> {
    let shop = Shop::new()?;
    own_runtime()?.block_on(async {
        let limit = Duration::from_secs(3600);
        match timeout(limit, shop.price()).await {
            Ok(Ok(price)) => println!("the price: {price}"),
            Ok(Err(error)) => println!("{error}"),
            Err(_) => println!("an hour later: no price"),
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_gone_with_its_runtime_and_the_next_one_serves() {
        let shop = Shop::new().expect("a runtime");
        let limit = Duration::from_secs(3600);
        let price = own_runtime()
            .expect("a runtime")
            .block_on(async { timeout(limit, shop.price()).await });
        assert!(price.is_err(), "it doesn't hang");
    }

    #[test]
    fn its_own_runtime_runs_it() {
        let shop = Shop::new().expect("a runtime");
        let price = shop.runtime.block_on(shop.price());
        assert_eq!(price.ok(), Some(1250));
    }

    /// The same for a timer that was made there: whichever runtime polls it,
    /// its own runtime has to wake it.
    #[test]
    fn a_timer_stays_with_its_runtime() {
        let shop = Shop::new().expect("a runtime");
        let pause = {
            let _entered = shop.runtime.enter();
            sleep(Duration::from_millis(50))
        };
        let hour = Duration::from_secs(3600);
        let waited = own_runtime()
            .expect("a runtime")
            .block_on(async { timeout(hour, pause).await });
        assert!(waited.is_err());
    }
}
