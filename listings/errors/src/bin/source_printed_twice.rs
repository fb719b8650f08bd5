//! Wrong: the message contains its source, which is printed as well.

// ANCHOR: wrong
/// Wrong: `{source}` puts the source into the message, so printing the
/// whole chain prints the source twice.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("cannot read {file:?}: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("line {line}: {text:?} is no limit: {source}")]
    Parse { line: usize, text: String, source: std::num::ParseIntError },
}
// ANCHOR_END: wrong

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
        assert_eq!(times, 2, "{line}");
        let error = limit("no such file").expect_err("there is none");
        let line = chain(&error);
        assert_eq!(line.matches("os error 2").count(), 2, "{line}");
    }
}
