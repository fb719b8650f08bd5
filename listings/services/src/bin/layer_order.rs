//! In a `ServiceBuilder`, the layer that's added first runs first.

// ANCHOR: order
use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
};

use tower::{ServiceBuilder, ServiceExt, service_fn};

/// The events, in order.
type Log = Mutex<Vec<&'static str>>;

fn write(log: &Log, what: &'static str) {
    log.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

/// Sends a request through two layers.
async fn run() -> Vec<&'static str> {
    let log = Log::default();
    let service = ServiceBuilder::new()
        .map_request(|order: u32| {
            write(&log, "added first");
            order
        })
        .map_request(|order: u32| {
            write(&log, "added second");
            order
        })
        .service(service_fn(async |_order: u32| {
            write(&log, "the service");
            Ok::<_, Infallible>(())
        }));
    let Ok(()) = service.oneshot(7).await;
    log.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
// ANCHOR_END: order

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_meets_the_first_layer_first() {
        let expected = ["added first", "added second", "the service"];
        assert_eq!(run().await, expected);
    }
}
