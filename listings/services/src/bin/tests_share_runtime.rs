//! Tests that share a client also share the runtime of its connections.

// ANCHOR: shared
use std::{io, sync::LazyLock, time::Duration};

use reqwest::Client;
use tokio::runtime::{Builder, Runtime};

/// One runtime for all tests. It's never dropped.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()
});

static CLIENT: LazyLock<reqwest::Result<Client>> =
    LazyLock::new(|| {
        let limit = Duration::from_secs(8);
        Client::builder().no_proxy().timeout(limit).build()
    });

/// Runs a test. Call this from a plain `#[test]` function.
fn run<T>(test: impl AsyncFnOnce(&Client) -> T) -> anyhow::Result<T> {
    let runtime = RUNTIME.as_ref()?;
    let client = CLIENT.as_ref()?;
    Ok(runtime.block_on(test(client)))
}

/// What each of the two tests does.
fn order_is_accepted(supplier: &str) -> anyhow::Result<()> {
    let order = async |client: &Client| {
        client.post(supplier).send().await?.text().await
    };
    let answer = run(order)??;
    anyhow::ensure!(answer == "accepted", "answered: {answer}");
    Ok(())
}
// ANCHOR_END: shared

use axum::{Router, routing::post};
use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};

/// A supplier that answers as soon as so many orders have arrived.
async fn start(orders: usize) -> io::Result<(String, JoinSet<()>)> {
    static ARRIVED: LazyLock<[Barrier; 2]> =
        LazyLock::new(|| [Barrier::new(1), Barrier::new(2)]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let order = async move || {
        ARRIVED[orders - 1].wait().await;
        "accepted"
    };
    let routes = Router::new().route("/", post(order));
    let mut running = JoinSet::new();
    running.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            eprintln!("the supplier has stopped: {error}");
        }
    });
    Ok((url, running))
}

/// Two tests at the same time, each on its own thread, as the test
/// runner does it. Afterwards, a third one.
fn verdicts() -> anyhow::Result<[anyhow::Result<()>; 3]> {
    let (url, _both) = run(async |_: &Client| start(2).await)??;
    let [one, other] = std::thread::scope(|threads| {
        let one = threads.spawn(|| order_is_accepted(&url));
        let other = threads.spawn(|| order_is_accepted(&url));
        [one, other].map(|test| test.join().expect("no panic"))
    });
    let (url, _third) = run(async |_: &Client| start(1).await)??;
    Ok([one, other, order_is_accepted(&url)])
}

fn main() -> anyhow::Result<()> {
    let words = ["first", "second", "third"];
    for (word, verdict) in words.iter().zip(verdicts()?) {
        verdict?;
        println!("the {word} test: ok");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_after_the_first_test_has_returned() -> anyhow::Result<()> {
        let (url, _supplier) = run(async |_: &Client| start(1).await)??;
        for _ in 0..3 {
            order_is_accepted(&url)?;
        }
        Ok(())
    }

    #[test]
    fn threads_of_two_tests_share_it() -> anyhow::Result<()> {
        for verdict in verdicts()? {
            verdict?;
        }
        Ok(())
    }

    #[test]
    fn panic_of_a_test_leaves_the_others() -> anyhow::Result<()> {
        let (url, _supplier) = run(async |_: &Client| start(1).await)??;
        let panics = || {
            run(async |_: &Client| {
                std::panic::resume_unwind(Box::new("wrong price"))
            })
        };
        assert!(std::panic::catch_unwind(panics).is_err());
        order_is_accepted(&url)
    }

    #[test]
    fn failure_of_a_supplier_is_an_error() -> anyhow::Result<()> {
        let (url, supplier) = run(async |_: &Client| start(1).await)??;
        drop(supplier);
        // Whether it was answered or not, it returns.
        let _ = order_is_accepted(&url);
        assert!(order_is_accepted("http://").is_err());
        Ok(())
    }
}
