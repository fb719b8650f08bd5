//! Compute on all cores without async, and borrow the data.

// ANCHOR: compute
use std::{num::NonZero, panic::resume_unwind, thread};

use rayon::prelude::*;

/// Computes a value for each station on rayon's threads, and returns
/// the values in the order of the stations.
fn with_rayon(stations: &[Station], f: Compute) -> Vec<i32> {
    stations.par_iter().map(f).collect()
}

/// The same with threads of the standard library. The scope waits for
/// its threads, so they can borrow the stations.
fn with_threads(stations: &[Station], f: Compute) -> Vec<i32> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = stations.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for part in stations.chunks(share) {
            let work = move || part.iter().map(f).collect::<Vec<_>>();
            threads.push(scope.spawn(work));
        }
        let parts = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        });
        parts.flatten().collect()
    })
}
// ANCHOR_END: compute

/// The temperatures that a station measured.
type Station = Vec<i32>;
/// What to compute. If it panics, the caller panics as well.
type Compute = fn(&Station) -> i32;

fn mean(station: &Station) -> i32 {
    match station.len() as i32 {
        0 => 0,
        count => station.iter().sum::<i32>() / count,
    }
}

fn main() {
    let stations = vec![vec![18, 20, 22], vec![5, 7], vec![-3]];
    println!("rayon:   {:?}", with_rayon(&stations, mean));
    println!("threads: {:?}", with_threads(&stations, mean));
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    type Way = fn(&[Station], Compute) -> Vec<i32>;
    const WAYS: [Way; 2] = [with_rayon, with_threads];

    #[test]
    fn threads_keep_the_order() {
        let stations: Vec<_> = (0..1000).map(|n| vec![n]).collect();
        for way in WAYS {
            assert!(way(&stations, mean).into_iter().eq(0..1000));
        }
    }

    #[test]
    fn edges_no_station_and_one() {
        for way in WAYS {
            assert!(way(&[], mean).is_empty());
            assert_eq!(way(&[vec![4, 6]], mean), [5]);
        }
    }

    #[test]
    fn panic_of_one_reaches_the_caller() {
        fn strict(station: &Station) -> i32 {
            assert!(!station.is_empty(), "a station is broken");
            station[0]
        }
        for panicking in hazards::some_panic(9) {
            let stations: Vec<_> = (0..9)
                .map(|n| match panicking.contains(&n) {
                    true => vec![],
                    false => vec![1],
                })
                .collect();
            for way in WAYS {
                let panic = catch_unwind(|| way(&stations, strict));
                let panic = panic.expect_err("a station is broken");
                let message = panic.downcast_ref::<&str>();
                assert_eq!(message, Some(&"a station is broken"));
            }
        }
    }
}
