//! Refuse a limit of zero where it comes in, in the configuration.

use std::{ops::Range, time::Duration};

use tokio::time::{Instant, sleep};

// ANCHOR: render_all
use std::num::{NonZeroUsize, ParseIntError};

use futures::{StreamExt, stream};

/// How many photos at a time. Errors: anything but a number above 0.
fn parse_limit(setting: &str) -> Result<NonZeroUsize, ParseIntError> {
    setting.trim().parse()
}

/// Renders all photos, `limit` at a time. Its type rules out 0, with
/// which `buffer_unordered` would wait forever.
///
/// Dropping this future drops the requests that are open.
async fn render_all(
    photos: Range<u32>,
    limit: NonZeroUsize,
) -> Vec<u32> {
    stream::iter(photos)
        .map(render)
        .buffer_unordered(limit.get())
        .collect()
        .await
}
// ANCHOR_END: render_all

async fn render(photo: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    photo
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for setting in ["2", "0"] {
        let limit = match parse_limit(setting) {
            Ok(limit) => limit,
            Err(error) => {
                println!("limit {setting:?} is refused: {error}");
                continue;
            }
        };
        let start = Instant::now();
        let photos = render_all(0..6, limit).await;
        let took = start.elapsed().as_millis();
        println!(
            "limit {setting:?}: {} photos in {took} ms",
            photos.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_above_zero_is_a_limit() {
        assert_eq!(
            parse_limit("8\n"),
            Ok(NonZeroUsize::MIN.saturating_add(7))
        );
        for setting in ["0", "-1", "", "many"] {
            assert!(parse_limit(setting).is_err(), "{setting}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_smallest_limit_is_one_at_a_time() {
        let start = Instant::now();
        let photos = render_all(0..6, NonZeroUsize::MIN).await;
        assert_eq!(photos, [0, 1, 2, 3, 4, 5]);
        assert_eq!(start.elapsed(), Duration::from_millis(600));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_photos_are_rendered_on_many_threads() {
        let limit = parse_limit("6").expect("a number above 0");
        let mut photos = tokio::spawn(render_all(0..6, limit))
            .await
            .expect("no panic");
        photos.sort();
        assert_eq!(photos, [0, 1, 2, 3, 4, 5]);
    }
}
