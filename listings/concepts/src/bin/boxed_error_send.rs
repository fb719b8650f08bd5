//! Return an error that can be sent to another thread.

use std::error::Error;

// ANCHOR: import
async fn import() -> Result<(), Box<dyn Error + Send + Sync>> {
    for line in ["1250", "12,50"] {
        let price = line.parse::<u32>();
        price.map_err(|error| format!("{line:?}: {error}"))?;
    }
    Ok(())
}
// ANCHOR_END: import

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match tokio::spawn(import()).await {
        Ok(Ok(())) => println!("imported"),
        Ok(Err(error)) => println!("{error}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn failure_comes_out_of_the_task_with_its_input() {
        let outcome = tokio::spawn(import()).await;
        let error = outcome.expect("no panic").expect_err("it fails");
        assert_eq!(
            error.to_string(),
            "\"12,50\": invalid digit found in string"
        );
    }
}
