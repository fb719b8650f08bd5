//! Wrong: nothing passes the lines of the crate `log` on.

use anyhow::Result;
use tracing_subscriber::fmt::MakeWriter;

// ANCHOR: wrong
fn set_up_log<W>(writer: W) -> Result<()>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer)
        .without_time()
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(())
}

fn main() -> Result<()> {
    set_up_log(std::io::stdout)?;
    place_order(7);
    Ok(())
}

fn place_order(number: u32) {
    tracing::info!(number, "is placed");
    log::warn!("the stock is low"); // Isn't shown.
}
// ANCHOR_END: wrong

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};

    #[test]
    fn edges_each_line_of_both_crates_and_a_second_call() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        set_up_log(Mutex::new(writer)).expect("it's the first");
        place_order(7);
        tracing::info!("the end");
        let mut text = String::new();
        let mut buffer = [0; 1_000];
        while !text.ends_with("the end\n") {
            let length = reader.read(&mut buffer).expect("a line");
            text += &String::from_utf8_lossy(&buffer[..length]);
        }
        assert!(!text.contains("the stock is low"), "{text}");
        assert_eq!(log::max_level(), log::LevelFilter::Off);
    }
}
