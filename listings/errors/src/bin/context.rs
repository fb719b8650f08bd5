//! An application's error: what was being done, layer by layer.

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
        .with_context(|| format!("{file} holds no number"))?;
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

/// Stands for a file that is read over the network.
async fn read(file: &str) -> io::Result<&'static str> {
    match file {
        "eight.txt" => Ok("8\n"),
        "word.txt" => Ok("eight\n"),
        "zero.txt" => Ok("0\n"),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_chain_tells_each_layer() -> Result<()> {
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
}
