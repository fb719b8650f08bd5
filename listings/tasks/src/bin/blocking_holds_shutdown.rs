//! Wrong: `main` has returned, but the program waits for a closure.

use std::{sync::mpsc, thread, time::Duration};

use tokio::runtime::{Builder, Runtime};

// ANCHOR: wrong
/// Wrong: dropping a runtime waits for closures that have started.
/// The macro on `main` drops its runtime when `main` returns.
fn end(runtime: Runtime) {
    drop(runtime);
}
// ANCHOR_END: wrong

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
    if has_ended.recv_timeout(Duration::from_millis(200)).is_err() {
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
        // The mistake: a closure that has started is waited for.
        for builder in
            [Builder::new_current_thread, Builder::new_multi_thread]
        {
            let runtime = builder().build().expect("a runtime");
            let (begun, has_begun) = mpsc::channel();
            let (done, is_done) = mpsc::channel();
            runtime.spawn_blocking(move || {
                begun.send(()).ok();
                thread::sleep(Duration::from_millis(20));
                done.send(()).ok();
            });
            has_begun.recv().expect("it begins");
            end(runtime);
            assert!(is_done.try_recv().is_ok());
        }
    }
}
