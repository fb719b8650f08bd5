//! Does a cloned receiver get every message, or only some of them?

/// Receives from both in two concurrent loops, until each is closed.
macro_rules! received {
    ($first:expr, $second:expr) => {{
        let first = async {
            let mut seen = Vec::new();
            while let Ok(order) = $first.await {
                seen.push(order);
                tokio::task::yield_now().await;
            }
            seen
        };
        let second = async {
            let mut seen = Vec::new();
            while let Ok(order) = $second.await {
                seen.push(order);
                tokio::task::yield_now().await;
            }
            seen
        };
        let (first, second) = tokio::join!(first, second);
        [first, second]
    }};
}

// ANCHOR: clones
async fn async_channel() -> [Vec<u32>; 2] {
    let (sender, first) = async_channel::bounded(8);
    let second = first.clone();
    for order in 1..=4 {
        sender.try_send(order).expect("there is room");
    }
    drop(sender);
    received!(first.recv(), second.recv())
}

async fn flume() -> [Vec<u32>; 2] {
    let (sender, first) = flume::bounded(8);
    let second = first.clone();
    for order in 1..=4 {
        sender.try_send(order).expect("there is room");
    }
    drop(sender);
    received!(first.recv_async(), second.recv_async())
}

async fn tokio_broadcast() -> [Vec<u32>; 2] {
    let (sender, mut first) = tokio::sync::broadcast::channel(8);
    let mut second = sender.subscribe();
    for order in 1..=4 {
        sender.send(order).expect("there are receivers");
    }
    drop(sender);
    received!(first.recv(), second.recv())
}
// ANCHOR_END: clones

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for (channel, [first, second]) in [
        ("async-channel", async_channel().await),
        ("flume", flume().await),
        ("Tokio's broadcast", tokio_broadcast().await),
    ] {
        println!("{channel:<17}  {first:?} and {second:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clones_share_the_messages() {
        for [mut first, second] in
            [async_channel().await, flume().await]
        {
            assert!(!first.is_empty() && !second.is_empty());
            first.extend(second);
            first.sort_unstable();
            assert_eq!(first, [1, 2, 3, 4]);
        }
    }

    #[tokio::test]
    async fn broadcast_sends_each_message_to_both() {
        let all = vec![1, 2, 3, 4];
        assert_eq!(tokio_broadcast().await, [all.clone(), all]);
    }
}
