//! Compare what `{}`, `{:#}`, and `{:?}` print for an error.

// ANCHOR: forms
use anyhow::{Context, Result};

fn open_shop() -> Result<()> {
    Err(std::io::Error::other("the disk is full"))
        .context("cannot write orders.log")
        .context("cannot open the shop")
}

fn main() {
    let Err(error) = open_shop() else {
        return;
    };
    println!("with {{}}:\n{error}\n");
    println!("with {{:#}}:\n{error:#}\n");
    // With RUST_BACKTRACE=1 or RUST_LIB_BACKTRACE=1, it has a
    // backtrace as well.
    println!("with {{:?}}:\n{error:?}");
}
// ANCHOR_END: forms

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_of_them_tell_the_cause() {
        let error = open_shop().expect_err("it fails");
        assert!(!format!("{error}").contains("disk"));
        assert!(format!("{error:#}").contains("disk"));
        assert!(format!("{error:?}").contains("disk"));
    }
}
