//! Return a `Result` where there's a question mark, or handle the error there.

use std::num::ParseIntError;

use anyhow::Result;

// ANCHOR: main
async fn reading(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

/// It contains `?`, so it returns a `Result`.
async fn in_fahrenheit(text: &str) -> Result<u32, ParseIntError> {
    let degrees = reading(text).await?;
    Ok(degrees * 9 / 5 + 32)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // The first `?` is for a panic of the task, the second one for the
    // error that the task returns.
    let task = tokio::spawn(in_fahrenheit("21"));
    println!("{} degrees", task.await??);

    // This task returns nothing, so it handles the error itself.
    let task = tokio::spawn(async {
        match in_fahrenheit("warm").await {
            Ok(degrees) => println!("{degrees} degrees"),
            Err(error) => println!("no reading: {error}"),
        }
    });
    task.await?;
    Ok(())
}
// ANCHOR_END: main
