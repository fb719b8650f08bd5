//! Wrong: `Runtime::new` needs the feature "rt-multi-thread", and `start_paused` needs "test-util".
// Cargo.toml: tokio = { version = "1", features = ["macros", "rt"] }

use tokio::runtime::{Builder, Runtime};

fn main() -> std::io::Result<()> {
    let service = Runtime::new()?;
    let test =
        Builder::new_current_thread().start_paused(true).build()?;
    service.block_on(async { println!("serving stock levels") });
    test.block_on(async { println!("counting shelves") });
    Ok(())
}
