//! A configuration that is read without a lock and replaced as a whole.

// ANCHOR: config
use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

#[derive(Debug, PartialEq)]
struct Config {
    version: u32,
    retries: u32,
}

struct Service {
    config: ArcSwap<Config>,
}

impl Service {
    /// Uses one version for the whole request, across every `.await`.
    /// Only later requests see a reload.
    async fn handle(&self) -> String {
        let config = self.config.load_full();
        call_backend().await;
        format!("version {}, {} tries", config.version, config.retries)
    }

    /// Doesn't wait for readers, and no request waits for it.
    fn reload(&self, config: Config) {
        self.config.store(Arc::new(config));
    }
}
// ANCHOR_END: config

use tokio::time::sleep;

async fn call_backend() {
    sleep(Duration::from_millis(100)).await;
}

fn service() -> Service {
    let config = Config { version: 1, retries: 3 };
    Service { config: ArcSwap::from_pointee(config) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let service = service();
    let reload = async {
        sleep(Duration::from_millis(50)).await;
        service.reload(Config { version: 2, retries: 5 });
        println!("reloaded");
    };
    let (answer, ()) = tokio::join!(service.handle(), reload);
    println!("the first request:  {answer}");
    println!("the second request: {}", service.handle().await);
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;
    use tokio::task::JoinSet;

    use super::*;

    const NEW: Config = Config { version: 2, retries: 5 };

    #[tokio::test(start_paused = true)]
    async fn slow_requests_see_one_version() {
        let service = service();
        let mut first = Box::pin(service.handle());
        assert!(futures::poll!(first.as_mut()).is_pending());
        service.reload(NEW);
        assert_eq!(first.await, "version 1, 3 tries");
        assert_eq!(service.handle().await, "version 2, 5 tries");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_frees_the_old_version() {
        at_every_poll(async |cancel| {
            let service = service();
            let old = Arc::downgrade(&service.config.load_full());
            cancel.run(service.handle()).await;
            service.reload(NEW);
            assert!(old.upgrade().is_none());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_see_no_half_of_it() {
        let service = Arc::new(service());
        let mut tasks = JoinSet::new();
        for version in 0..50 {
            let service = Arc::clone(&service);
            tasks.spawn(async move {
                let retries = version + 2;
                service.reload(Config { version, retries });
                let config = service.config.load_full();
                assert_eq!(config.version + 2, config.retries);
            });
        }
        tasks.join_all().await;
    }
}
