//! A `recv` is dropped after a message was sent: is the message lost?

// ANCHOR: dropped
use futures::poll;

/// Starts to receive, sends a message, and drops the future of
/// `recv` before it's polled again, as a `select!` loop does.
macro_rules! is_still_there {
    ($sender:ident, $recv:expr, $try_recv:expr) => {{
        let mut recv = Box::pin($recv);
        assert!(poll!(recv.as_mut()).is_pending());
        $sender.try_send("an order").expect("there is room");
        drop(recv);
        matches!($try_recv, Some("an order"))
    }};
}

async fn tokio_mpsc() -> bool {
    let (sender, mut orders) = tokio::sync::mpsc::channel(8);
    is_still_there!(sender, orders.recv(), orders.try_recv().ok())
}

async fn async_channel() -> bool {
    let (sender, orders) = async_channel::bounded(8);
    is_still_there!(sender, orders.recv(), orders.try_recv().ok())
}

async fn flume() -> bool {
    let (sender, orders) = flume::bounded(8);
    is_still_there!(sender, orders.recv_async(), orders.try_recv().ok())
}

async fn kanal() -> bool {
    let (sender, orders) = kanal::bounded_async(8);
    let try_recv = || orders.try_recv().ok().flatten();
    is_still_there!(sender, orders.recv(), try_recv())
}
// ANCHOR_END: dropped

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("the message is still there:");
    println!("Tokio's mpsc   {}", tokio_mpsc().await);
    println!("async-channel  {}", async_channel().await);
    println!("flume          {}", flume().await);
    println!("kanal          {}", kanal().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_of_them_loses_it() {
        assert!(tokio_mpsc().await);
        assert!(async_channel().await);
        assert!(flume().await);
        assert!(!kanal().await);
    }
}
