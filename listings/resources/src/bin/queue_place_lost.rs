//! Wrong: in a `select!` loop, each `acquire` starts at the end of the queue.

use std::sync::Mutex;

use tokio::{
    sync::Semaphore,
    time::{Duration, interval, sleep},
};

// ANCHOR: wrong
/// Waits for the printer, and logs that every 10 ms.
async fn print_patiently(printer: &Semaphore, log: &Log) {
    let mut tick = interval(Duration::from_millis(10));
    loop {
        tokio::select! {
            // Wrong: a new future every time, at the end of the queue.
            permit = printer.acquire() => {
                log.write("the patient caller prints");
                drop(permit);
                break;
            }
            _ = tick.tick() => log.write("still waiting"),
        }
    }
}
// ANCHOR_END: wrong

#[derive(Default)]
struct Log(Mutex<Vec<&'static str>>);

impl Log {
    fn write(&self, line: &'static str) {
        self.0.lock().expect("no panic").push(line);
    }
}

/// Somebody prints for 25 ms. One waits from the beginning, another
/// comes after 15 ms.
async fn two_wait() -> Vec<&'static str> {
    let (printer, log) = (Semaphore::new(1), Log::default());
    let printing = printer.acquire().await;
    let patient = print_patiently(&printer, &log);
    let late = async {
        sleep(Duration::from_millis(15)).await;
        let permit = printer.acquire().await;
        log.write("the late caller prints");
        drop(permit);
    };
    let end = async {
        sleep(Duration::from_millis(25)).await;
        drop(printing);
    };
    tokio::join!(patient, late, end);
    log.0.into_inner().expect("no panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in two_wait().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_two_wait() {
        let log = two_wait().await;
        assert_eq!(log[log.len() - 2], "the late caller prints");
        assert_eq!(log[log.len() - 1], "the patient caller prints");
    }
}
