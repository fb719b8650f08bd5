//! Create the future that waits in the queue once, before the loop.

use std::{pin::pin, sync::Mutex};

use tokio::{
    sync::{AcquireError, Semaphore},
    time::{Duration, interval, sleep},
};

// ANCHOR: kept
/// Waits for the printer, and logs that every 10 ms.
async fn print_patiently(
    printer: &Semaphore,
    log: &Log,
) -> Result<(), AcquireError> {
    let mut tick = interval(Duration::from_millis(10));
    let mut turn = pin!(printer.acquire());
    loop {
        tokio::select! {
            permit = &mut turn => {
                let _permit = permit?;
                log.write("the patient caller prints");
                return Ok(());
            }
            _ = tick.tick() => log.write("still waiting"),
        }
    }
}
// ANCHOR_END: kept

#[derive(Default)]
struct Log(Mutex<Vec<&'static str>>);

impl Log {
    fn write(&self, line: &'static str) {
        self.0.lock().expect("no panic").push(line);
    }
}

/// The printer is busy for 25 ms. One caller waits from the start, and
/// another comes after 15 ms.
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
    let (printed, ..) = tokio::join!(patient, late, end);
    if let Err(error) = printed {
        println!("the patient caller: {error}");
    }
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
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_two_wait() {
        let log = two_wait().await;
        let last =
            ["the patient caller prints", "the late caller prints"];
        assert_eq!(log[log.len() - 2..], last);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_printer_to_the_next() {
        at_every_poll(async |cancel| {
            let (printer, log) = (Semaphore::new(1), Log::default());
            let printing = printer.acquire().await;
            let release = async {
                sleep(Duration::from_millis(25)).await;
                drop(printing);
            };
            let print = cancel.run(print_patiently(&printer, &log));
            tokio::join!(biased; print, release);
            assert!(within(HOUR, printer.acquire()).await.is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_the_one_that_waits() {
        let (printer, log) = (Semaphore::new(1), Log::default());
        let printing = printer.acquire().await;
        let close = async { printer.close() };
        let print = print_patiently(&printer, &log);
        let (printed, ()) = tokio::join!(biased; print, close);
        assert!(printed.is_err());
        let lines = log.0.into_inner().expect("no panic");
        assert!(!lines.contains(&"the patient caller prints"));
        drop(printing);
    }
}
