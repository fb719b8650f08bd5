//! Wrong: the task and `main` return nothing, but they contain a question mark.

use std::num::ParseIntError;

async fn reading(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

#[tokio::main]
async fn main() {
    let task = tokio::spawn(async {
        println!("{} degrees", reading("21").await?);
    });
    task.await?;
}
