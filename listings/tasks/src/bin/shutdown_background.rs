//! Shut the runtime down without waiting for closures.

use std::{sync::mpsc, thread, time::Duration};

use tokio::runtime::{Builder, Runtime};

// ANCHOR: end
/// Shuts the runtime down without waiting. Tasks are dropped at their
/// `.await`. A closure that has started runs until it returns or the
/// process exits, which may cut off its writes. A closure that is
/// still queued may or may not run.
fn end(runtime: Runtime) {
    runtime.shutdown_background();
}
// ANCHOR_END: end

/// Waits for a line from the keyboard, so to speak.
fn read_line(keyboard: &mpsc::Receiver<()>) {
    keyboard.recv().ok();
}

/// Someone who presses Enter only when asked to.
fn person(asked: mpsc::Receiver<()>, keyboard: mpsc::Sender<()>) {
    if asked.recv().is_ok() {
        println!("... Enter is pressed");
        keyboard.send(()).ok();
    }
}

fn main() -> std::io::Result<()> {
    let (press, keyboard) = mpsc::channel();
    let (ask, asked) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    let runtime = Builder::new_current_thread().build()?;
    runtime.spawn_blocking(move || {
        begun.send(()).ok();
        read_line(&keyboard);
    });
    has_begun.recv().ok();
    let person = thread::spawn(move || person(asked, press));
    println!("the work is done");

    let (ended, has_ended) = mpsc::channel();
    let ending = thread::spawn(move || {
        end(runtime);
        ended.send(()).ok();
    });
    if has_ended.recv_timeout(Duration::from_secs(60)).is_err() {
        println!("the program does not end");
        ask.send(()).ok();
    }
    ending.join().expect("it does not panic");
    drop(ask);
    person.join().expect("it does not panic");
    println!("the program ends");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_the_keyboard_does_not_hold_the_end() {
        for builder in
            [Builder::new_current_thread, Builder::new_multi_thread]
        {
            let runtime = builder().build().expect("a runtime");
            let (begun, has_begun) = mpsc::channel();
            let (go_on, may_go_on) = mpsc::channel::<()>();
            runtime.spawn_blocking(move || {
                begun.send(()).ok();
                may_go_on.recv().ok();
            });
            has_begun.recv().expect("it begins");
            end(runtime);
            drop(go_on);
        }
    }

    #[test]
    fn stop_drops_tasks_and_leaves_closures_running() {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || {
            begun.send(()).ok();
            may_go_on.recv().ok();
        });
        has_begun.recv().expect("it starts");
        let (queued, was_queued) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || queued.send(()));
        let (task, was_task) = mpsc::channel::<()>();
        runtime.spawn(async move {
            std::future::pending::<()>().await;
            task.send(()).ok();
        });
        end(runtime);
        assert!(was_task.recv().is_err());
        drop(go_on);
        // In Tokio 1.54, a busy thread empties the queue first.
        assert!(was_queued.recv().is_ok());
    }
}
