//! The message tells its own part; the source tells the rest.

// ANCHOR: error
/// Each message says what this layer wanted. Why it failed, the source
/// says.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("cannot read the configuration")]
    Read(#[source] std::io::Error),
    #[error("line {line} is wrong")]
    Parse { line: usize, source: std::num::ParseIntError },
}
// ANCHOR_END: error

use std::{error::Error, fs};

fn limit(file: &str) -> Result<u32, ConfigError> {
    let text = fs::read_to_string(file).map_err(ConfigError::Read)?;
    parse(&text)
}

fn parse(text: &str) -> Result<u32, ConfigError> {
    text.trim()
        .parse()
        .map_err(|source| ConfigError::Parse { line: 1, source })
}

/// An error with all of its sources, as anyhow prints them.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told.push_str(&format!(": {error}"));
        source = error.source();
    }
    told
}

fn main() {
    for result in [limit("no such file"), parse("eight")] {
        match result {
            Ok(limit) => println!("the limit is {limit}"),
            Err(error) => println!("{}", chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once() {
        let error = parse("eight").expect_err("it is no number");
        let told = chain(&error);
        assert_eq!(told.matches("invalid digit").count(), 1, "{told}");
    }
}
