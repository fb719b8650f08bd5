//! The exam: what the tests of a task are made of, and how a folder of solutions is graded.

pub mod grade;

use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// A test of one hazard.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The function's name.
    pub name: &'static str,
    /// Panics if the solution fails.
    pub run: fn(),
}

/// A solution with the tests of its task.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// The folder in `tasks/`.
    pub task: &'static str,
    /// The file without `.rs`: `reference`, `wrong_no_limit`, or `solution`.
    pub solution: &'static str,
    /// The tests of the task.
    pub tests: &'static [Test],
}

/// How long a test may wait on a paused clock, which passes an hour in no time.
const VIRTUAL: Duration = Duration::from_secs(3600);

/// How long a test may wait on a real clock.
const REAL: Duration = Duration::from_secs(10);

/// On one thread, with the clock paused.
pub fn paused<F: Future<Output = ()>>(test: fn() -> F) {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime can be started");
    runtime.block_on(async {
        let ended = timeout(VIRTUAL, test()).await;
        ended.expect("it hangs: still waiting after an hour of the paused clock");
    });
}

/// On one thread, in real time.
pub fn current<F: Future<Output = ()>>(test: fn() -> F) {
    real(&mut Builder::new_current_thread(), test);
}

/// On four threads, in real time.
pub fn threads<F: Future<Output = ()>>(test: fn() -> F) {
    real(Builder::new_multi_thread().worker_threads(4), test);
}

fn real<F: Future<Output = ()>>(builder: &mut Builder, test: fn() -> F) {
    let runtime = builder
        .enable_all()
        .build()
        .expect("a runtime can be started");
    runtime.block_on(async {
        let ended = timeout(REAL, test()).await;
        ended.expect("it hangs: still waiting after ten seconds");
    });
    runtime.shutdown_background();
}

/// Without a runtime.
pub fn plain(test: fn()) {
    test();
}

/// Names the tests of a task, each with what runs it: `paused`, `current`, `threads`, or `plain`.
#[macro_export]
macro_rules! tests {
    ($($runs:ident $name:ident),* $(,)?) => {
        /// The tests of this task.
        pub const TESTS: &[$crate::Test] = &[$($crate::Test {
            name: stringify!($name),
            run: || $crate::$runs($name),
        }),*];
    };
}
