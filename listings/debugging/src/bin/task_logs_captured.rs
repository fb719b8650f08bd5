//! A test sees what its own task logs, and what its spawned tasks log.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tokio::task::JoinSet;
use tracing::{Dispatch, info, instrument::WithSubscriber};
use tracing_subscriber::{fmt::MakeWriter, registry};

// ANCHOR: order
async fn place(number: u32) {
    info!(number, "is placed");
    let mut tasks = JoinSet::new();
    let mail = send_mail(number).with_current_subscriber();
    tasks.spawn(mail);
    tasks.join_all().await;
}

async fn send_mail(number: u32) {
    info!(number, "the mail is sent");
}
// ANCHOR_END: order

// ANCHOR: logged
/// While there's only one subscriber, tracing asks the thread that
/// reaches a line first, and caches its "no" for all threads.
static SECOND: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(registry()));

/// Returns what `work` logs. This function works on every runtime, and
/// tests that run at the same time don't see each other's lines.
async fn logged(work: impl Future<Output = ()>) -> String {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(lines.clone())
        .finish();
    work.with_subscriber(subscriber).await;
    String::from_utf8_lossy(&lines.bytes()).into_owned()
}
// ANCHOR_END: logged

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    print!("{}", logged(place(7)).await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    /// One test after the other, so each has the only subscriber,
    /// except for `SECOND`.
    static ALONE: tokio::sync::Mutex<()> =
        tokio::sync::Mutex::const_new(());

    #[test]
    fn threads_the_lines_of_spawned_tasks_are_captured() {
        let _alone = ALONE.blocking_lock();
        let workers = Builder::new_multi_thread()
            .worker_threads(4)
            .build()
            .expect("a runtime");
        let one = Builder::new_current_thread().build();
        for runtime in [workers, one.expect("a runtime")] {
            let text = runtime.block_on(async {
                let both = [1, 2].map(|it| logged(place(it)));
                futures::future::join_all(both).await
            });
            for (text, number) in text.iter().zip(["1", "2"]) {
                assert_eq!(text.lines().count(), 2, "{text}");
                for line in text.lines() {
                    let end = format!("number={number}");
                    assert!(line.ends_with(&end), "{line}");
                }
            }
        }
    }

    async fn write_label() {
        info!("the label is written");
    }

    /// Without `SECOND`, the line is lost for both.
    #[test]
    fn threads_a_thread_without_a_subscriber_may_log_first() {
        let _alone = ALONE.blocking_lock();
        let text = logged(async {
            let first = std::thread::spawn(|| {
                futures::executor::block_on(write_label());
            });
            first.join().expect("it doesn't panic");
            write_label().await;
        });
        let text = futures::executor::block_on(text);
        assert!(text.contains("the label is written"), "{text}");
    }

    #[tokio::test]
    async fn panic_of_the_work_reaches_the_test() {
        let _alone = ALONE.lock().await;
        let work = async { panic!("no stock") };
        let run = tokio::spawn(async { logged(work).await });
        assert!(run.await.expect_err("it panics").is_panic());
    }

    #[tokio::test]
    async fn edges_nothing_is_logged() {
        let _alone = ALONE.lock().await;
        assert_eq!(logged(async {}).await, "");
    }
}
