//! Four routers that panic when they're built, and what they say.

use std::panic;

use axum::{Router, routing::get};

// ANCHOR: routers
async fn order() {}

/// Builds four routers, each with a mistake. Returns the messages.
fn mistakes() -> [Option<String>; 4] {
    let order = get(order);
    let again = order.clone();
    [
        panic_of(|router| router.route("/orders/:id", order.clone())),
        panic_of(|router| {
            router
                .route("/orders", order.clone())
                .route("/orders", again)
        }),
        panic_of(|router| {
            router
                .route("/orders/{id}", order.clone())
                .route("/orders/{number}", order.clone())
        }),
        panic_of(|router| router.nest("/", Router::new())),
    ]
}
// ANCHOR_END: routers

/// Returns the message with which the construction panics.
fn panic_of(build: impl FnOnce(Router) -> Router) -> Option<String> {
    let build = panic::AssertUnwindSafe(|| drop(build(Router::new())));
    let payload = panic::catch_unwind(build).err()?;
    let message = match payload.downcast_ref::<&str>() {
        Some(message) => message,
        None => payload.downcast_ref::<String>()?.as_str(),
    };
    Some(message.to_owned())
}

fn main() {
    panic::set_hook(Box::new(|_| {})); // Printed below instead.
    for (nth, message) in mistakes().iter().enumerate() {
        let message = message.as_deref().unwrap_or("no message");
        println!("{}. {message}", nth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_panics() {
        assert!(mistakes().iter().all(Option::is_some));
    }
}
