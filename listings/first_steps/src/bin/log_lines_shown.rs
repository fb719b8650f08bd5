//! Show the log: level INFO by default, and lines of the crate `log`.

// ANCHOR: set_up
use anyhow::{Result, anyhow};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

/// Call it once, at the start of `main`.
///
/// # Errors
///
/// The process has a subscriber or a logger already.
fn set_up_log<W>(writer: W) -> Result<()>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        // If RUST_LOG isn't set. Without this line, ERROR only.
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // A line that can't be written is lost. By default, printing
        // the error to stderr would panic if that pipe is closed.
        .log_internal_errors(false)
        // The book's output is the same in every run.
        .without_time()
        .with_ansi(false)
        .try_init() // Also receives the lines of the crate `log`.
        .map_err(|error| anyhow!(error))
}
// ANCHOR_END: set_up

// ANCHOR: main
fn main() -> Result<()> {
    set_up_log(std::io::stdout)?;
    place_order(7);
    Ok(())
}

fn place_order(number: u32) {
    tracing::info!(number, "is placed");
    log::warn!("the stock is low"); // As an older library does.
    tracing::debug!("isn't shown");
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};

    /// Runs itself again, in a child process whose stderr is closed.
    #[test]
    fn failure_to_write_a_line_does_not_panic() -> Result<()> {
        if hazards::is_unread() {
            set_up_log(std::io::stderr)?;
            place_order(7);
            return Ok(());
        }
        let test = "failure_to_write_a_line_does_not_panic";
        hazards::succeeds_without_stderr(module_path!(), test);
        Ok(())
    }

    /// A process has one subscriber, so this is one test.
    #[test]
    fn edges_each_line_of_both_crates_and_a_second_call() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        set_up_log(Mutex::new(writer)).expect("it's the first");
        place_order(7);
        let mut buffer = [0; 1_000];
        let mut text = String::new();
        while text.lines().count() < 2 {
            let length = reader.read(&mut buffer).expect("a line");
            text += &String::from_utf8_lossy(&buffer[..length]);
        }
        let lines: Vec<_> = text.lines().collect();
        let info = " INFO log_lines_shown: is placed number=7";
        let warn = " WARN log_lines_shown: the stock is low";
        assert_eq!(lines, [info, warn]);

        let error = set_up_log(std::io::stdout);
        let error = error.expect_err("it's the second");
        let expected =
            "a global default trace dispatcher has already been set";
        assert_eq!(error.to_string(), expected);
    }
}
