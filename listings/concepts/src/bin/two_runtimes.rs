//! Wrong: a timer that belongs to a runtime which nobody runs.

use std::{io, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};

// ANCHOR: wrong
/// A client that brings a runtime of its own.
struct Shop {
    runtime: Runtime,
}

impl Shop {
    fn new() -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime })
    }

    /// Wrong: the pause is a timer of the client's runtime. Someone
    /// else polls it, and nobody runs the runtime that would wake it.
    async fn price(&self) -> u32 {
        let pause = {
            let _entered = self.runtime.enter();
            sleep(Duration::from_millis(50))
        };
        pause.await;
        1250
    }
}
// ANCHOR_END: wrong

/// One's own runtime, with a paused clock.
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
            Ok(price) => println!("the price: {price}"),
            Err(_) => println!("an hour later: no price"),
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hangs_on_another_runtime() {
        let shop = Shop::new().expect("a runtime");
        let limit = Duration::from_secs(3600);
        let price = own_runtime()
            .expect("a runtime")
            .block_on(async { timeout(limit, shop.price()).await });
        assert!(price.is_err());
    }

    #[test]
    fn its_own_runtime_wakes_it() {
        let shop = Shop::new().expect("a runtime");
        assert_eq!(shop.runtime.block_on(shop.price()), 1250);
    }
}
