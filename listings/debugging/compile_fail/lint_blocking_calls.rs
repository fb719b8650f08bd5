//! Wrong: calls that are on Clippy's list.
#![deny(clippy::disallowed_methods)]

use std::time::Duration;

use tokio::{
    runtime::Handle,
    sync::mpsc,
    task::{JoinError, spawn_blocking},
};

// ANCHOR: wrong
// clippy.toml: disallowed-methods = [
// clippy.toml:   { path = "std::thread::sleep", reason = "use tokio::time::sleep" },
// clippy.toml:   { path = "std::fs::read", reason = "use tokio::fs" },
// clippy.toml:   { path = "std::fs::read_to_string", reason = "use tokio::fs" },
// clippy.toml:   { path = "std::fs::write", reason = "use tokio::fs" },
// clippy.toml:   { path = "std::fs::File::open", reason = "use tokio::fs" },
// clippy.toml:   { path = "std::fs::File::create", reason = "use tokio::fs" },
// clippy.toml:   { path = "std::net::TcpStream::connect", reason = "use tokio::net" },
// clippy.toml:   { path = "std::sync::mpsc::Receiver::recv", reason = "use tokio::sync" },
// clippy.toml:   { path = "tokio::runtime::Handle::block_on", reason = "await it" },
// clippy.toml:   { path = "futures::executor::block_on", reason = "await it" },
// clippy.toml:   { path = "tokio::sync::mpsc::unbounded_channel", reason = "needs a limit" },
// clippy.toml: ]

async fn retry() -> std::io::Result<String> {
    std::thread::sleep(Duration::from_millis(100));
    std::fs::read_to_string("orders.json")
}

fn start(runtime: &Handle) {
    let (_orders, _queue) = mpsc::unbounded_channel::<u32>();
    let _orders = runtime.block_on(retry());
}

#[expect(clippy::disallowed_methods, reason = "off the workers")]
async fn size() -> Result<Option<usize>, JoinError> {
    let read = || std::fs::read("orders.json").ok();
    Ok(spawn_blocking(read).await?.map(|bytes| bytes.len()))
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let _orders = retry().await;
    let _size = size().await;
    spawn_blocking(|| start(&Handle::current()));
}
