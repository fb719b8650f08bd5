//! A test that fails to compile if the future can't be spawned.

use std::rc::Rc;

use tokio::task::yield_now;

// ANCHOR: local
/// Not `Send`: keeps an `Rc` across an await.
async fn draft(text: &str) -> usize {
    let text: Rc<str> = Rc::from(text);
    yield_now().await;
    text.len()
}

async fn print(pages: u32) -> u32 {
    yield_now().await;
    pages
}

#[tokio::main]
async fn main() {
    let lengths = tokio::join!(draft("menu"), draft("map"));
    println!("{lengths:?}, {} pages", print(12).await);
}
// ANCHOR_END: local

// ANCHOR: test
#[cfg(test)]
mod tests {
    use super::*;

    fn assert_spawnable<F: Future<Output: Send> + Send + 'static>(
        _: F,
    ) {
    }

    #[test]
    fn print_can_be_spawned() {
        assert_spawnable(print(12));
    }
}
// ANCHOR_END: test
