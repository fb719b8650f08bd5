//! Resize photos on all cores with rayon, and wait for the results.

use std::hint::black_box;

// ANCHOR: resize_all
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use rayon::prelude::*;
use tokio::sync::oneshot::{self, error::RecvError};

/// The outcome of a photo. A panic is an error with its message.
type Resized = Result<Photo, String>;

/// Resizes photos on rayon's threads, as many at a time as there are
/// cores, and returns the outcomes in the order of the photos.
///
/// If this future is dropped, the photos that are being resized are
/// finished, and the others are skipped.
async fn resize_all(
    photos: Vec<Photo>,
) -> Result<Vec<Resized>, RecvError> {
    let (reply, resized) = oneshot::channel::<Vec<Resized>>();
    rayon::spawn(move || {
        let all = photos.into_par_iter().map(|photo| {
            if reply.is_closed() {
                return Err("nobody waits anymore".to_owned());
            }
            // A panic that leaves this closure would abort the process.
            catch_unwind(AssertUnwindSafe(|| resize(photo)))
                .map_err(|panic| message(&*panic))
        });
        let all = all.collect();
        reply.send(all).ok();
    });
    resized.await
}
// ANCHOR_END: resize_all

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    text.or(owned).unwrap_or("no message").to_owned()
}

/// The brightness of each pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
struct Photo(Vec<u8>);

/// Half as wide: the mean of each two pixels.
fn resize(photo: Photo) -> Photo {
    let width = photo.0.len();
    assert!(width.is_multiple_of(2), "{width} pixels aren't pairs");
    let pairs = photo.0.chunks_exact(2);
    let mean = |pair: &[u8]| pair[0].midpoint(pair[1]);
    Photo(pairs.map(|pair| black_box(mean(pair))).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RecvError> {
    let mut photos: Vec<_> =
        (0..4).map(|row| Photo(vec![row, row + 2])).collect();
    photos[2].0.push(9);
    for outcome in resize_all(photos).await? {
        match outcome {
            Ok(photo) => println!("{photo:?}"),
            Err(error) => println!("failed: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{at_every_poll, some_panic};

    use super::*;

    fn photos(count: u8) -> Vec<Photo> {
        (0..count).map(|row| Photo(vec![row, row])).collect()
    }

    #[tokio::test]
    async fn panic_is_the_outcome_of_its_photo() {
        for panics in some_panic(100) {
            let mut photos = photos(100);
            for &panics in &panics {
                photos[panics].0.push(0);
            }
            let all = resize_all(photos).await.expect("an answer");
            assert_eq!(all.len(), 100);
            for (place, outcome) in all.into_iter().enumerate() {
                let expected = match panics.contains(&place) {
                    true => Err("3 pixels aren't pairs".to_owned()),
                    false => Ok(Photo(vec![place as u8])),
                };
                assert_eq!(outcome, expected);
            }
        }
    }

    #[tokio::test]
    async fn cancel_leaves_the_pool_usable() {
        at_every_poll(async |cancel| {
            cancel.run(resize_all(photos(100))).await;
            let all = resize_all(photos(2)).await.expect("an answer");
            assert_eq!(all.len(), 2);
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_photo_and_an_empty_one() {
        assert_eq!(resize_all(Vec::new()).await, Ok(Vec::new()));
        let empty = vec![Photo(Vec::new())];
        let all = resize_all(empty.clone()).await;
        assert_eq!(all, Ok(vec![Ok(empty[0].clone())]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_every_call_has_its_answer() {
        let calls = (0..50).map(|_| resize_all(photos(20)));
        for all in join_all(calls).await {
            assert_eq!(all.expect("an answer").len(), 20);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let calls =
            (0..20).map(|_| tokio::spawn(resize_all(photos(99))));
        for all in join_all(calls).await {
            let all = all.expect("no panic").expect("an answer");
            let all = all.into_iter().map(|it| it.expect("pairs"));
            assert!(all.eq((0..99).map(|row| Photo(vec![row]))));
        }
    }
}
