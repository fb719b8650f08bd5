//! Wrong: a client in a static, shared by tests with their own runtimes.

// ANCHOR: wrong
use std::{sync::LazyLock, time::Duration};

use reqwest::Client;

/// Wrong: a connection is a task of the runtime that opened it.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let limit = Duration::from_millis(500);
    let client = Client::builder().no_proxy().timeout(limit).build();
    client.expect("valid settings")
});

/// What each of the two tests does.
async fn order(supplier: &str) -> reqwest::Result<String> {
    CLIENT.post(supplier).send().await?.text().await
}
// ANCHOR_END: wrong

use std::{io, sync::mpsc};

use axum::{Router, routing::post};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::Notify,
    task::JoinSet,
};

/// A runtime as that of `#[tokio::test]`.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A supplier that says when an order has arrived, and answers the
/// second order only when it's notified.
async fn start(
    arrived: mpsc::Sender<()>,
    answer: &'static Notify,
) -> io::Result<(String, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let order = async move || {
        // The receiver is only dropped at the end of the program.
        let _ = arrived.send(());
        answer.notified().await;
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

/// Two tests at the same time. The first returns while the second one
/// waits for its answer.
fn verdicts() -> anyhow::Result<[String; 2]> {
    static ANSWER: Notify = Notify::const_new();
    let (arrived, arrives) = mpsc::channel();
    let elsewhere = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (url, _running) =
        elsewhere.block_on(start(arrived, &ANSWER))?;
    let first = runtime()?;
    ANSWER.notify_one();
    let one = first.block_on(async {
        let one = order(&url).await;
        // The connection goes back to the pool.
        tokio::time::sleep(Duration::from_millis(10)).await;
        one
    });
    arrives.recv()?;
    let second = std::thread::spawn(move || {
        let test = runtime()?;
        anyhow::Ok(test.block_on(order(&url)))
    });
    // The second test sends its order through the first test's runtime.
    first.block_on(async {
        while arrives.try_recv().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    drop(first);
    let other = second.join().expect("no panic")?;
    Ok([verdict(one), verdict(other)])
}

fn verdict(answer: reqwest::Result<String>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            let error = anyhow::Error::from(error.without_url());
            format!("FAILED\n  {error:#}")
        }
    }
}

/// Two calls from sync code, each on its own runtime. The first
/// runtime still exists, but nothing runs in it.
fn hangs() -> anyhow::Result<String> {
    static ANSWER: Notify = Notify::const_new();
    let (arrived, _arrives) = mpsc::channel();
    let elsewhere = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (url, _running) =
        elsewhere.block_on(start(arrived, &ANSWER))?;
    let first = runtime()?;
    ANSWER.notify_one();
    first.block_on(async {
        let one = order(&url).await;
        // The connection goes back to the pool.
        tokio::time::sleep(Duration::from_millis(10)).await;
        one
    })?;
    ANSWER.notify_one();
    let second = runtime()?;
    Ok(verdict(second.block_on(order(&url))))
}

fn main() -> anyhow::Result<()> {
    let [one, other] = verdicts()?;
    println!("the first test:  {one}");
    println!("the second test: {other}");
    println!("while the first runtime is idle: {}", hangs()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_after_the_first_test_has_returned() -> anyhow::Result<()> {
        // The second test fails.
        let [one, other] = verdicts()?;
        assert_eq!(one, "ok");
        assert!(other.contains("dispatch task is gone"), "{other}");
        assert!(hangs()?.contains("timed out"));
        Ok(())
    }
}
