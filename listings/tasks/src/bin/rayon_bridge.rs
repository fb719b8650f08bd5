//! Resize photos on all cores with rayon, and wait for them.

use std::hint::black_box;

use rayon::prelude::*;
use tokio::sync::oneshot;

// ANCHOR: resize_all
/// Resizes photos on rayon's threads, as many at a time as there are
/// cores, and returns them in order. `None` where that panicked.
///
/// When this future is dropped, photos that were begun are finished,
/// and the others are left out.
async fn resize_all(photos: Vec<Photo>) -> Option<Vec<Photo>> {
    let (reply, resized) = oneshot::channel();
    rayon::spawn(move || {
        let all: Option<Vec<_>> = photos
            .into_par_iter()
            .map(|photo| (!reply.is_closed()).then(|| resize(photo)))
            .collect();
        // Who waited may have gone: then nobody wants the photos.
        reply.send(all).ok();
    });
    // A panic drops the sender, and closes the channel.
    resized.await.ok().flatten()
}
// ANCHOR_END: resize_all

/// The brightness of each pixel, row by row.
#[derive(Debug, PartialEq)]
struct Photo(Vec<u8>);

/// Half as wide: the mean of each two pixels.
fn resize(photo: Photo) -> Photo {
    assert!(
        photo.0.len().is_multiple_of(2),
        "rows have pairs of pixels"
    );
    let pairs = photo.0.chunks_exact(2);
    let mean = |pair: &[u8]| pair[0].midpoint(pair[1]);
    Photo(pairs.map(|pair| black_box(mean(pair))).collect())
}

/// A panic of a photo is told on stderr, and ends no other one.
fn on_panic() -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().panic_handler(|_| ()).build_global()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    on_panic()?;
    let photos = (0..8).map(|row| Photo(vec![row, row + 2]));
    match resize_all(photos.collect()).await {
        Some(all) => println!("{all:?}"),
        None => println!("a photo could not be resized"),
    }
    match resize_all(vec![Photo(vec![1, 2, 3])]).await {
        Some(all) => println!("{all:?}"),
        None => println!("a photo could not be resized"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn photos_come_back_in_order() {
        let photos = (0..100).map(|row| Photo(vec![row, row]));
        let all = resize_all(photos.collect()).await;
        let all = all.expect("it does not panic");
        assert!(
            all.into_iter().eq((0..100).map(|row| Photo(vec![row])))
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_waits_for_ever_on_many_threads() {
        assert_eq!(resize_all(Vec::new()).await, Some(Vec::new()));
    }
}
