//! A panic hook ends the process, whichever task panics.

// ANCHOR: hook
use std::panic;

/// Ends the process at any panic, after the report on stderr.
fn exit_on_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        println!("exiting");
        std::process::exit(70);
    }));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    exit_on_panic();
    let import = tokio::spawn(async { panic!("no such currency") });
    println!("import: {:?}", import.await);
}
// ANCHOR_END: hook
