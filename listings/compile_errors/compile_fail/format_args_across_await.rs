//! Wrong: `fmt::Arguments` isn't `Send`.

// ANCHOR: wrong
use std::fmt::Arguments;

async fn log(line: Arguments<'_>) {
    println!("{line}");
}

#[tokio::main]
async fn main() {
    let order = 7;
    tokio::spawn(async move {
        log(format_args!("order {order} printed")).await;
    });
}
// ANCHOR_END: wrong
