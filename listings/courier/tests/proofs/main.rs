//! The whole program as processes, attacked from outside: killed, stopped, without a disk, without its database, among
//! thousands of idle clients and hostile receivers. The receivers and the load run in this process.
//!
// ANCHOR: knobs
//! | Variable | Meaning | Default |
//! |---|---|---|
//! | `COURIER_KILLS` | how many processes each test kills or stops | 6 |
//! | `COURIER_CUTS` | at how many places the write-ahead log is cut | 10 |
//! | `COURIER_IDLE` | how many idle connections a client opens | 10,000, or as many as the open file limit allows |
//! | `COURIER_SEED` | the seed for all random choices | a random seed, which is printed |
//! | `DATABASE_URL` | the PostgreSQL server, for tests with several processes | SQLite with two processes |

mod bad;
mod clients;
mod crash;
mod disk;
mod idle;
mod place;
mod postgres;
mod process;
mod receiver;
mod torn;
// ANCHOR_END: knobs

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

/// A number that the environment can change.
fn knob(name: &str, default: u64) -> u64 {
    let value = env::var(name).ok();
    value.map_or(default, |it| it.parse().expect("a number"))
}

/// Randomness that a later run can repeat.
fn seeded(test: &str) -> fastrand::Rng {
    let seed = knob("COURIER_SEED", fastrand::u64(..));
    eprintln!("{test}: COURIER_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Asks until the answer is yes.
///
/// # Panics
///
/// It isn't after `limit`.
async fn until(
    what: &str,
    limit: Duration,
    mut yes: impl AsyncFnMut() -> bool,
) {
    let start = Instant::now();
    while !yes().await {
        assert!(start.elapsed() < limit, "after {limit:?}: not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether this process may mount file systems and become other users.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}
