//! Wrong: a request reads the configuration twice, and sees two versions.

use std::sync::Arc;

use tokio::sync::watch;

struct Config {
    shipping: u32,
    free_above: u32,
}

// ANCHOR: wrong
async fn handle(current: &watch::Receiver<Arc<Config>>) -> String {
    let shipping = current.borrow().shipping;
    load_basket().await;
    // Wrong: there may have been a reload since the first read.
    let free_above = current.borrow().free_above;
    format!("{shipping} euros, free above {free_above}")
}
// ANCHOR_END: wrong

/// A part of the request that takes time.
async fn load_basket() {
    tokio::task::yield_now().await;
}

/// A request, with a reload while it runs.
async fn request_with_reload() -> String {
    let old = Config { shipping: 5, free_above: 50 };
    let (current, config) = watch::channel(Arc::new(old));
    let reload = async {
        let new = Config { shipping: 6, free_above: 60 };
        current.send_replace(Arc::new(new));
    };
    let (answer, _old) = tokio::join!(biased; handle(&config), reload);
    answer
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("old: 5 euros, free above 50");
    println!("new: 6 euros, free above 60");
    println!("answer: {}", request_with_reload().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_request_sees_one_version() {
        // It sees two.
        let answer = request_with_reload().await;
        assert_eq!(answer, "5 euros, free above 60");
    }
}
