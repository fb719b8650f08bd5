//! Add context to an error, layer by layer.

// ANCHOR: context
use anyhow::{Context, Result, ensure};

/// Reads how many orders a shop packs at a time.
async fn limit(file: &str) -> Result<u32> {
    let text = read(file)
        .await
        .with_context(|| format!("cannot read {file}"))?;
    let limit = text
        .trim()
        .parse()
        .with_context(|| format!("{file}: {text:?} is no limit"))?;
    ensure!(limit > 0, "{file}: a limit of zero packs nothing");
    Ok(limit)
}

async fn open_shop(file: &str) -> Result<u32> {
    limit(file).await.context("cannot open the shop")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for file in ["eight.txt", "word.txt", "zero.txt", "none.txt"] {
        match open_shop(file).await {
            Ok(limit) => println!("open, with a limit of {limit}"),
            // `{:#}` is the whole chain, on one line: for logs.
            Err(error) => println!("{error:#}"),
        }
    }
}
// ANCHOR_END: context

use std::io;

/// Simulates a file that is read over the network.
async fn read(file: &str) -> io::Result<&'static str> {
    match file {
        "eight.txt" => Ok("8\n"),
        "word.txt" => Ok("eight\n"),
        "zero.txt" => Ok("0\n"),
        "big.txt" => Ok("5000000000"),
        "minus.txt" => Ok("-1"),
        "empty.txt" => Ok(""),
        "umlaut.txt" => Ok("zw\u{f6}lf"),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_each_layer_is_in_the_chain() -> Result<()> {
        assert_eq!(open_shop("eight.txt").await?, 8);
        let error = open_shop("none.txt").await.expect_err("no file");
        let layers: Vec<_> =
            error.chain().map(ToString::to_string).collect();
        let expected = [
            "cannot open the shop",
            "cannot read none.txt",
            "entity not found",
        ];
        assert_eq!(layers, expected);
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_wrong_limit_is_quoted() {
        for (file, text) in [
            ("big.txt", "5000000000"),
            ("minus.txt", "-1"),
            ("empty.txt", ""),
            ("umlaut.txt", "zw\u{f6}lf"),
        ] {
            let error = open_shop(file).await.expect_err("no limit");
            let line = format!("{error:#}");
            assert!(line.contains(&format!("{text:?}")), "{line}");
        }
        let error = open_shop("zero.txt").await.expect_err("zero");
        assert!(format!("{error:#}").contains("packs nothing"));
    }
}
