//! Wrong: the guard is dropped where the log is set up.

// ANCHOR: wrong
use std::fs::File;

use tracing_subscriber::util::SubscriberInitExt;

fn subscriber(file: File) -> impl tracing::Subscriber + Send + Sync {
    let (writer, _guard) = tracing_appender::non_blocking(file);
    tracing_subscriber::fmt().with_writer(writer).finish()
    // Wrong: `_guard` is dropped here, which ends the log's thread.
}

fn main() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");
    subscriber(File::create(&path)?).init();

    tracing::info!("order 7 is placed");
    tracing::error!("order 8 failed");

    println!("{} bytes in the log", std::fs::metadata(path)?.len());
    Ok(())
}
// ANCHOR_END: wrong

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_keeps_every_line() -> std::io::Result<()> {
        // It keeps none.
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("orders.log");
        let log = subscriber(File::create(&path)?);
        tracing::subscriber::with_default(log, || {
            for order in 0..1_000 {
                tracing::info!("order {order} is placed");
            }
        });
        assert_eq!(std::fs::read_to_string(path)?, "");
        Ok(())
    }
}
