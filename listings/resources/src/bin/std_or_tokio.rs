//! Std's mutex for a short step, and Tokio's across an await.

// ANCHOR: stock
use std::{collections::HashMap, sync::Mutex};

/// A short step without an `.await`: std's mutex. The methods lock,
/// change, and return, and no guard leaves this type.
struct Stock {
    units: Mutex<HashMap<&'static str, u32>>,
}

impl Stock {
    /// Takes the units, and returns true, if there are enough.
    fn take(&self, product: &str, wanted: u32) -> bool {
        let mut units = self.units.lock().expect("no panic in here");
        match units.get_mut(product) {
            Some(units) if wanted <= *units => {
                *units -= wanted;
                true
            }
            _ => false,
        }
    }
}
// ANCHOR_END: stock

// ANCHOR: printer
use std::{io, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// A device that's used across an `.await`, so in Tokio's mutex. It's
/// `None` after a label was cut off.
struct Printer<Device> {
    device: tokio::sync::Mutex<Option<Device>>,
}

impl<Device: AsyncWrite + Unpin> Printer<Device> {
    /// Prints one label, after those that came before it. If it fails,
    /// takes ten seconds, or is canceled halfway, the device is
    /// closed: nothing is printed right after half a label, and later
    /// calls return `NotConnected`.
    async fn print(&self, label: &str) -> io::Result<()> {
        if label.contains('\n') {
            return Err(io::ErrorKind::InvalidInput.into()); // Two labels.
        }
        let mut slot = self.device.lock().await;
        let closed = io::ErrorKind::NotConnected;
        // Taken out while it's in the middle of a label.
        let mut device = slot.take().ok_or(closed)?;
        let print = async {
            device.write_all(format!("{label}\n").as_bytes()).await?;
            device.flush().await
        };
        timeout(Duration::from_secs(10), print).await??;
        *slot = Some(device);
        Ok(())
    }
}
// ANCHOR_END: printer

use tokio::io::AsyncReadExt;

fn stock() -> Stock {
    Stock { units: Mutex::new(HashMap::from([("tea", 10)])) }
}

fn printer<Device>(device: Device) -> Printer<Device> {
    Printer { device: Some(device).into() }
}

/// Two tasks print at the same time, to a device that takes four bytes
/// at a time.
async fn print_two() -> io::Result<String> {
    let (device, mut paper) = tokio::io::duplex(4);
    let printer = printer(device);
    let print = async {
        tokio::try_join!(
            printer.print("order 1, tea"),
            printer.print("order 2, coffee"),
        )?;
        drop(printer);
        io::Result::Ok(())
    };
    let mut printed = String::new();
    tokio::try_join!(print, paper.read_to_string(&mut printed))?;
    Ok(printed)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let stock = stock();
    println!("take 8: {}", stock.take("tea", 8));
    println!("take 8: {}", stock.take("tea", 8));
    print!("{}", print_two().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::{io::duplex, task::JoinSet};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_nothing_follows_a_part_of_a_label() {
        at_every_poll(async |cancel| {
            let (device, mut paper) = duplex(4);
            let printer = printer(device);
            let print = async {
                cancel.run(printer.print("order 1")).await;
                let second = printer.print("order 2").await;
                drop(printer);
                second.is_ok()
            };
            let mut printed = String::new();
            let read = paper.read_to_string(&mut printed);
            let (second, read) = tokio::join!(print, read);
            read.expect("it is text");
            let whole = ["order 2\n", "order 1\norder 2\n"];
            let cut_off = "order 1\n".starts_with(&printed);
            let is_right = match second {
                true => whole.contains(&printed.as_str()),
                false => cut_off,
            };
            assert!(is_right, "{printed:?}");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_device_ends_each_call() {
        let printer = printer(Silent);
        let calls = futures::future::join_all([
            printer.print("a"),
            printer.print("b"),
            printer.print("c"),
        ]);
        let kinds: Vec<_> = within(HOUR, calls)
            .await
            .into_iter()
            .map(|printed| printed.map_err(|error| error.kind()))
            .collect();
        let timed_out = Err(io::ErrorKind::TimedOut);
        let closed = Err(io::ErrorKind::NotConnected);
        assert_eq!(kinds, [timed_out, closed, closed]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_devices_print_whole_labels() -> io::Result<()> {
        let paper = Slow::new(Vec::new(), Duration::from_secs(1));
        let printer = printer(paper);
        tokio::try_join!(printer.print("a"), printer.print("b"))?;
        assert!(printer.device.lock().await.is_some());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_closes_the_device() {
        let printer = printer(Failing::after(Vec::new(), 2));
        assert!(printer.print("order 1").await.is_ok());
        let full = printer.print("order 2").await.expect_err("full");
        assert_eq!(full.to_string(), "disk full");
        let later = printer.print("order 3").await.expect_err("closed");
        assert_eq!(later.kind(), io::ErrorKind::NotConnected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_take_nothing_twice() {
        let stock = Arc::new(stock());
        let mut buyers = JoinSet::new();
        for _ in 0..50 {
            let stock = Arc::clone(&stock);
            buyers.spawn(async move { stock.take("tea", 3) });
        }
        let sold = buyers.join_all().await;
        assert_eq!(sold.into_iter().filter(|sold| *sold).count(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_does_not_mix_labels() -> io::Result<()> {
        let (device, mut paper) = duplex(4);
        let printer = Arc::new(printer(device));
        let mut printing = JoinSet::new();
        for _ in 0..50 {
            let printer = Arc::clone(&printer);
            printing
                .spawn(async move { printer.print("a label").await });
        }
        drop(printer);
        let mut printed = String::new();
        paper.read_to_string(&mut printed).await?;
        assert_eq!(printed, "a label\n".repeat(50));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn overload_three_print() -> io::Result<()> {
        let paper = Slow::new(Vec::new(), Duration::from_secs(1));
        let printer = printer(paper);
        let print = || printer.print("a label");
        let mut all = Box::pin(async {
            tokio::try_join!(print(), print(), print())
        });
        assert!(futures::poll!(all.as_mut()).is_pending());
        // One of them has the device, and the others wait.
        assert!(printer.device.try_lock().is_err());
        all.await.map(drop)
    }

    #[tokio::test]
    async fn edges_of_products_and_labels() -> io::Result<()> {
        let stock = stock();
        assert!(stock.take("tea", 0));
        assert!(!stock.take("coffee", 0));
        assert!(!stock.take("tea", u32::MAX));
        assert!(stock.take("tea", 10));
        let printer = printer(Vec::new());
        printer.print("").await?;
        printer.print("Tee für Jörg").await?;
        for two in ["\n", "tea\ncoffee", "tea\n"] {
            let error =
                printer.print(two).await.expect_err("two lines");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        let paper = printer.device.into_inner().expect("it works");
        assert_eq!(paper, "\nTee für Jörg\n".as_bytes());
        Ok(())
    }

    /// A device whose driver panics.
    struct Broken;

    impl AsyncWrite for Broken {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context,
            _: &[u8],
        ) -> std::task::Poll<io::Result<usize>> {
            panic!("a bug in the driver")
        }

        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context,
        ) -> std::task::Poll<io::Result<()>> {
            panic!("a bug in the driver")
        }

        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context,
        ) -> std::task::Poll<io::Result<()>> {
            panic!("a bug in the driver")
        }
    }

    #[tokio::test]
    async fn panic_of_the_device_closes_it() {
        let printer = Arc::new(printer(Broken));
        let task = Arc::clone(&printer);
        let panics = tokio::spawn(async move { task.print("a").await });
        assert!(panics.await.is_err_and(|error| error.is_panic()));
        let later = printer.print("b").await.expect_err("closed");
        assert_eq!(later.kind(), io::ErrorKind::NotConnected);
    }
}
