//! Wrong: `set_default` covers one thread, and the task runs on another.

use std::io::Read;

use tokio::{runtime::Builder, task::JoinSet};
use tracing::{info, subscriber::set_default};

// ANCHOR: mistake
async fn place(number: u32) {
    info!(number, "is placed");
    let mut tasks = JoinSet::new();
    tasks.spawn(send_mail(number));
    tasks.join_all().await;
}

async fn send_mail(number: u32) {
    info!(number, "the mail is sent");
}

/// What is logged while this order is placed.
fn logged(number: u32) -> anyhow::Result<String> {
    let (mut reader, writer) = std::io::pipe()?;
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::sync::Mutex::new(writer))
        .finish();
    let guard = set_default(subscriber);
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).build()?;
    runtime.block_on(place(number));
    drop(guard);
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    Ok(text)
}
// ANCHOR_END: mistake

fn main() -> anyhow::Result<()> {
    print!("{}", logged(7)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_the_lines_of_spawned_tasks_are_captured() {
        let text = logged(7).expect("it's logged");
        assert!(text.contains("is placed"), "{text}");
        assert!(!text.contains("the mail is sent"), "{text}");
    }

    #[test]
    fn threads_one_thread_is_enough_for_tasks_but_not_for_closures() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(writer))
            .finish();
        let guard = set_default(subscriber);
        let runtime = Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            place(7).await;
            let closure = || info!("the file is written");
            let write = tokio::task::spawn_blocking(closure);
            write.await.expect("it doesn't panic");
        });
        drop(guard);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert!(text.contains("the mail is sent"), "{text}");
        assert!(!text.contains("the file is written"), "{text}");
    }
}
