//! Reject a limit of zero when you read the configuration.

use std::{ops::Range, time::Duration};

use tokio::time::{Instant, sleep};

// ANCHOR: render_all
use std::num::{NonZeroU8, ParseIntError};

use futures::{StreamExt, stream};

/// Parses the number of photos at a time. Only 1 to 255 are allowed.
fn parse_limit(setting: &str) -> Result<NonZeroU8, ParseIntError> {
    setting.trim().parse()
}

/// Renders all photos, `limit` at a time. The type excludes 0, which
/// makes `buffer_unordered` wait forever, and numbers above 255.
///
/// Dropping this future drops the open requests. Panics if `render`
/// panics. If a request never finishes, no result is returned, so
/// `render` needs a timeout.
async fn render_all(photos: Range<u32>, limit: NonZeroU8) -> Vec<u32> {
    stream::iter(photos)
        .map(render)
        .buffer_unordered(limit.get().into())
        .collect()
        .await
}
// ANCHOR_END: render_all

async fn render(photo: u32) -> u32 {
    assert_ne!(photo, 13, "photo {photo} is damaged");
    sleep(Duration::from_millis(100)).await;
    photo
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for setting in ["2", "0", "1000000"] {
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
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn limit(setting: &str) -> NonZeroU8 {
        parse_limit(setting).expect("a limit")
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_limit() {
        assert_eq!(limit("8\n").get(), 8);
        assert_eq!(limit("255").get(), 255);
        for setting in ["0", "-1", "", "many", "256", "8.5", "\u{668}"]
        {
            assert!(parse_limit(setting).is_err(), "{setting}");
        }
        for photos in [0, 6] {
            let work = render_all(0..photos, NonZeroU8::MIN);
            let rendered = within(HOUR, work).await;
            assert!(rendered.into_iter().eq(0..photos));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_within_the_limit() {
        let start = Instant::now();
        render_all(20..37, limit("8")).await;
        assert_eq!(start.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_passes_to_the_caller() {
        let work = AssertUnwindSafe(render_all(10..20, limit("2")));
        let panic = work.catch_unwind().await.expect_err("it panics");
        let text = panic.downcast_ref::<String>().expect("a message");
        assert!(text.contains("photo 13 is damaged"));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        at_every_poll(async |cancel| {
            cancel.run(render_all(0..6, limit("2"))).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_photos_are_rendered() {
        let mut photos = tokio::spawn(render_all(0..6, limit("6")))
            .await
            .expect("no panic");
        photos.sort();
        assert_eq!(photos, [0, 1, 2, 3, 4, 5]);
    }
}
