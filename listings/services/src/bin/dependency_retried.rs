//! Wait for a dependency at startup, if it may still be starting itself.

// ANCHOR: connect
use std::io;

use tokio::time::{Duration, Instant, sleep, timeout_at};

/// Connects to a dependency that may still be starting, and retries for
/// `patience`. Returns any other error immediately.
async fn connect_patiently<C, F: Future<Output = io::Result<C>>>(
    mut connect: impl FnMut() -> F,
    patience: Duration,
) -> io::Result<C> {
    // Unlike `Instant::now() + patience`, it can't overflow.
    let until = sleep(patience).deadline();
    let mut pause = SHORTEST;
    loop {
        let attempt = until.min(Instant::now() + LONGEST_TRY);
        let error = match timeout_at(attempt, connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if !may_be_starting(&error) => {
                return Err(error);
            }
            Ok(Err(error)) => error,
            Err(elapsed) => elapsed.into(),
        };
        let wait = pause * fastrand::u32(75..=100) / 100;
        if Instant::now() + wait >= until {
            return Err(error);
        }
        tracing::warn!(%error, "not started yet");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A wrong password or address stays wrong. Other errors may pass: a host
/// name that isn't known yet, for example, has no error kind of its own.
fn may_be_starting(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    let kind = error.kind();
    !matches!(kind, InvalidInput | PermissionDenied | Unsupported)
}
// ANCHOR_END: connect

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_TRY: Duration = Duration::from_secs(5);

/// A database that accepts connections after a while.
struct Database {
    starts: Instant,
    password: bool,
}

impl Database {
    fn new(after: Duration, password: bool) -> Self {
        Self { starts: Instant::now() + after, password }
    }

    async fn connect(&self) -> io::Result<&'static str> {
        if Instant::now() < self.starts {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        match self.password {
            true => Ok("connected"),
            false => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "wrong password",
            )),
        }
    }
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let patience = Duration::from_secs(30);
    let second = Duration::from_secs(1);
    for (database, starts, password) in [
        ("starts after 1 s", second, true),
        ("refuses the password", Duration::ZERO, false),
        ("starts after 1 h", second * 3600, true),
    ] {
        let start = Instant::now();
        let server = Database::new(starts, password);
        let connected =
            connect_patiently(|| server.connect(), patience);
        let connected =
            connected.await.map_err(|error| error.to_string());
        let in_time = start.elapsed() <= patience;
        println!("{database}: {connected:?}, in 30 s: {in_time}");
    }
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn failure_that_will_not_get_better_is_returned_immediately()
    {
        let start = Instant::now();
        let server = Database::new(Duration::ZERO, false);
        let refused = connect_patiently(|| server.connect(), PATIENCE);
        let error = refused.await.expect_err("a wrong password");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    /// In docker compose, the name is known when the container exists.
    #[tokio::test(start_paused = true)]
    async fn failure_to_find_the_host_is_retried() {
        let tries = Cell::new(0);
        let connect = async || {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 => Err(io::Error::other("failed to lookup address")),
                2 => Err(io::ErrorKind::HostUnreachable.into()),
                3 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            }
        };
        assert!(connect_patiently(connect, PATIENCE).await.is_ok());
        assert_eq!(tries.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_for_an_hour_is_an_error_in_time() {
        let start = Instant::now();
        let server = Database::new(hazards::HOUR, true);
        let refused = connect_patiently(|| server.connect(), PATIENCE);
        let error = refused.await.expect_err("it doesn't start");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(start.elapsed() <= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_start_of_any_length_below_the_limit_is_waited_for() {
        for seconds in [0, 1, 10, 24] {
            let server =
                Database::new(Duration::from_secs(seconds), true);
            let connected =
                connect_patiently(|| server.connect(), PATIENCE);
            assert!(connected.await.is_ok(), "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_dependency_ends_in_time() {
        let (start, tries) = (Instant::now(), Cell::new(0));
        let silent = || {
            tries.set(tries.get() + 1);
            pending::<io::Result<()>>()
        };
        let error = connect_patiently(silent, PATIENCE).await;
        let error = error.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() <= PATIENCE + Duration::from_millis(2));
        assert!((3..=7).contains(&tries.get()), "{}", tries.get());
    }

    /// The pauses grow, so few attempts are made.
    #[tokio::test(start_paused = true)]
    async fn overload_of_a_dependency_is_avoided() {
        let tries = Cell::new(0);
        let refused = || {
            tries.set(tries.get() + 1);
            async {
                let refused = io::ErrorKind::ConnectionRefused;
                Err::<(), _>(io::Error::from(refused))
            }
        };
        assert!(connect_patiently(refused, PATIENCE).await.is_err());
        assert!((8..=14).contains(&tries.get()), "{}", tries.get());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_patience_still_tries_once() {
        let server = Database::new(Duration::ZERO, true);
        let connect = || server.connect();
        assert!(
            connect_patiently(connect, Duration::ZERO).await.is_ok()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn edges_endless_patience() {
        let server = Database::new(hazards::HOUR, true);
        let connect = || server.connect();
        assert!(
            connect_patiently(connect, Duration::MAX).await.is_ok()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_attempt() {
        hazards::at_every_poll(async |cancel| {
            let server = Database::new(Duration::from_secs(1), true);
            let connect =
                connect_patiently(|| server.connect(), PATIENCE);
            cancel.run(connect).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
