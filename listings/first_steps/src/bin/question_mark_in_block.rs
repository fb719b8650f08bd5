//! A question mark in an async block leaves the block, not the function.

use std::fmt;

#[derive(Debug)]
struct NotForSale(&'static str);

impl fmt::Display for NotForSale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} isn't for sale", self.0)
    }
}

async fn price(book: &'static str) -> Result<u32, NotForSale> {
    match book {
        "Dune" => Ok(12),
        "Emma" => Ok(9),
        _ => Err(NotForSale(book)),
    }
}

// ANCHOR: total
/// Both prices together, or zero if one of the books isn't for sale.
async fn total(first: &'static str, second: &'static str) -> u32 {
    let both = async {
        let first = price(first).await?;
        let second = price(second).await?;
        Ok::<_, NotForSale>(first + second)
    };
    match both.await {
        Ok(sum) => sum,
        Err(error) => {
            println!("{error}");
            0
        }
    }
}
// ANCHOR_END: total

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("total: {}", total("Dune", "Emma").await);
    println!("total: {}", total("Dune", "Faust").await);
}
