//! Wrong: a database, with the clock paused.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use sqlx::{SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

// ANCHOR: wrong
/// Wrong: the driver works on a thread of its own. The runtime sees
/// only tasks that wait, so the clock jumps past the time to connect.
async fn connect(work: Work) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(30))
        .after_connect(move |connection, _| {
            let work = work.clone();
            Box::pin(async move {
                work.takes_a_moment(connection).await?;
                let create = "CREATE TABLE orders (id INTEGER)";
                sqlx::query(create).execute(connection).await?;
                Ok(())
            })
        })
        .connect("sqlite::memory:")
        .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tokio::time::pause();
    let (moment, work) = Work::new();
    match connect(work).await {
        Ok(_) => println!("connected"),
        Err(error) => println!("{error}"),
    }
    drop(moment);
}
// ANCHOR_END: wrong

/// What the driver does takes until the moment is given or dropped:
/// each run is the same.
#[derive(Clone)]
struct Work(Arc<Mutex<mpsc::Receiver<()>>>);

impl Work {
    fn new() -> (mpsc::Sender<()>, Self) {
        let (moment, given) = mpsc::channel();
        (moment, Self(Arc::new(Mutex::new(given))))
    }

    async fn takes_a_moment(
        self,
        connection: &mut SqliteConnection,
    ) -> sqlx::Result<()> {
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(1, move || {
            let given = self.0.lock().expect("nobody panicked");
            // Dropped is given as well.
            let _ = given.recv();
            true
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_database_and_a_paused_clock() {
        let (moment, work) = Work::new();
        let error = connect(work).await.expect_err("the clock jumps");
        assert!(matches!(error, sqlx::Error::PoolTimedOut));
        drop(moment);
    }

    #[tokio::test]
    async fn in_real_time_it_connects() {
        let (moment, work) = Work::new();
        drop(moment);
        assert!(connect(work).await.is_ok());
    }
}
