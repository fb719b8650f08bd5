//! Std's mutex for a short step, and Tokio's across an await.

// ANCHOR: stock
use std::{collections::HashMap, sync::Mutex};

/// A short step without an `.await`: std's mutex. The methods lock,
/// change and return, and no guard leaves this type.
struct Stock {
    units: Mutex<HashMap<&'static str, u32>>,
}

impl Stock {
    /// Whether there were enough. They are yours then.
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
use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// One thing that is used across an `.await`: Tokio's mutex.
struct Printer<Device> {
    device: tokio::sync::Mutex<Device>,
}

impl<Device: AsyncWrite + Unpin> Printer<Device> {
    /// Labels never mix. On cancellation, a part of it is printed.
    async fn print(&self, label: &str) -> io::Result<()> {
        let mut device = self.device.lock().await;
        device.write_all(label.as_bytes()).await?;
        device.write_all(b"\n").await?;
        device.flush().await
    }
}
// ANCHOR_END: printer

use tokio::io::AsyncReadExt;

fn stock() -> Stock {
    Stock { units: Mutex::new(HashMap::from([("tea", 10)])) }
}

/// Two tasks print at once, to a device that takes four bytes at a
/// time.
async fn print_two() -> io::Result<String> {
    let (device, mut paper) = tokio::io::duplex(4);
    let printer = Printer { device: device.into() };
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

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_taken_twice() {
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
    async fn labels_do_not_mix() -> io::Result<()> {
        let (device, mut paper) = tokio::io::duplex(4);
        let printer = Arc::new(Printer { device: device.into() });
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

    #[tokio::test]
    async fn dropped_it_gives_the_lock_back() {
        let (device, _paper) = tokio::io::duplex(4);
        let printer = Printer { device: device.into() };
        let mut print = Box::pin(printer.print("order 1"));
        assert!(futures::poll!(print.as_mut()).is_pending());
        assert!(printer.device.try_lock().is_err());
        drop(print);
        assert!(printer.device.try_lock().is_ok());
    }
}
