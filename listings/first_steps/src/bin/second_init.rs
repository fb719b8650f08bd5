//! What the second subscriber of a process gets.

use std::panic::catch_unwind;

// ANCHOR: second
fn main() {
    tracing_subscriber::fmt().init();

    if let Err(error) = tracing_subscriber::fmt().try_init() {
        println!("try_init: {error}");
    }
    // What the `init` of a logger calls.
    if let Err(error) = log::set_logger(log::logger()) {
        println!("set_logger: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        println!("init panics: {message}");
    }));
    let second = catch_unwind(|| tracing_subscriber::fmt().init());
    println!("it has panicked: {}", second.is_err());
}
// ANCHOR_END: second

#[cfg(test)]
mod tests {
    #[test]
    fn a_second_subscriber_is_an_error() {
        let first = tracing_subscriber::fmt().try_init();
        assert!(first.is_ok());
        let error = tracing_subscriber::fmt().try_init();
        let error = error.expect_err("it's the second");
        let expected =
            "a global default trace dispatcher has already been set";
        assert_eq!(error.to_string(), expected);
    }
}
