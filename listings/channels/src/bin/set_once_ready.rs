//! Ready, once and for all: whoever asks later knows at once.

// ANCHOR: ready
use std::sync::Arc;

use tokio::{
    sync::SetOnce,
    time::{Duration, sleep},
};

/// The port of the server, as soon as there is one.
type Port = Arc<SetOnce<u16>>;

async fn start(port: Port) {
    sleep(Duration::from_millis(300)).await;
    // Fails where it was set before, and that was another start.
    port.set(8080).expect("the server is started once");
}

async fn call(name: &str, port: Port) -> u16 {
    let port = *port.wait().await;
    println!("{name} calls port {port}");
    port
}
// ANCHOR_END: ready

async fn run() -> [u16; 3] {
    let port = Port::default();
    let early = call("early", Arc::clone(&port));
    let earlier = call("just as early", Arc::clone(&port));
    let (early, earlier, ()) =
        tokio::join!(early, earlier, start(Arc::clone(&port)));
    [early, earlier, call("late", port).await]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    run().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_misses_it() {
        assert_eq!(run().await, [8080; 3]);
    }

    #[tokio::test]
    async fn a_second_value_is_refused() {
        let port = SetOnce::new();
        assert!(port.set(8080).is_ok());
        assert!(port.set(9090).is_err());
        assert_eq!(port.get(), Some(&8080));
    }
}
