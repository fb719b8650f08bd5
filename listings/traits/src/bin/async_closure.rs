//! A function that takes an async closure, and calls it in place.

// ANCHOR: retry
use std::io;

/// Calls until it succeeds, so often at most.
async fn retry<T>(
    times: u32,
    mut call: impl AsyncFnMut(u32) -> io::Result<T>,
) -> io::Result<T> {
    let mut attempt = 1;
    loop {
        match call(attempt).await {
            Err(_) if attempt < times => attempt += 1,
            last => return last,
        }
    }
}

/// Fetches a page; the first answers are errors. Returns how often it
/// asked, and the page.
async fn fetch(failing: u32) -> io::Result<(Vec<u32>, &'static str)> {
    let mut asked = Vec::new();
    // It borrows `asked`, across the `.await`, from call to call.
    let page = retry(3, async |attempt| {
        asked.push(attempt);
        answer(failing, attempt).await
    })
    .await?;
    Ok((asked, page))
}
// ANCHOR_END: retry

async fn answer(
    failing: u32,
    attempt: u32,
) -> io::Result<&'static str> {
    tokio::task::yield_now().await;
    match attempt > failing {
        true => Ok("the page"),
        false => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (asked, page) = fetch(2).await?;
    println!("attempts {asked:?}: {page}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_borrows_from_call_to_call() -> io::Result<()> {
        assert_eq!(fetch(2).await?, (vec![1, 2, 3], "the page"));
        Ok(())
    }

    #[tokio::test]
    async fn the_last_error_is_returned() {
        assert!(fetch(3).await.is_err());
    }
}
