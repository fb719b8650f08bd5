//! A message describes its own layer and leaves the cause to its source.

// ANCHOR: error
/// Each message says what this layer tried. The source says why that
/// failed.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("cannot read {file:?}")]
    Read { file: String, source: std::io::Error },
    #[error("line {line}: {text:?} is no limit")]
    Parse { line: usize, text: String, source: std::num::ParseIntError },
}
// ANCHOR_END: error

use std::{error::Error, fs};

fn limit(file: &str) -> Result<u32, ConfigError> {
    let text = fs::read_to_string(file).map_err(|source| {
        ConfigError::Read { file: file.to_owned(), source }
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<u32, ConfigError> {
    let text = text.trim();
    text.parse().map_err(|source| ConfigError::Parse {
        line: 1,
        text: text.to_owned(),
        source,
    })
}

/// An error with all of its sources, as anyhow prints them.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(&format!(": {error}"));
        source = error.source();
    }
    line
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
    fn failure_prints_each_cause_once() {
        let error = parse("eight").expect_err("it is no number");
        let line = chain(&error);
        let times = line.matches("invalid digit").count();
        assert_eq!(times, 1, "{line}");
        let error = limit("no such file").expect_err("there is none");
        let line = chain(&error);
        assert!(line.starts_with("cannot read \"no such file\": "));
        assert_eq!(line.matches("os error 2").count(), 1, "{line}");
    }

    #[test]
    fn edges_the_text_is_quoted_whatever_it_is() {
        assert_eq!(parse(" 8\n").expect("a limit"), 8);
        for text in ["", "-1", "5000000000", "zw\u{f6}lf"] {
            let error = parse(text).expect_err("it is no limit");
            let line = chain(&error);
            assert!(line.contains(&format!("{text:?}")), "{line}");
        }
    }
}
