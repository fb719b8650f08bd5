//! Files, processes and signals: what the operating system does.

use crate::row::{agrees, drop_pending};
use signal_hook::low_level::raise;
use std::collections::BTreeSet;
use std::io;
use std::pin::pin;
use std::process::Stdio;
use std::sync::mpsc;
use std::task::Poll;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// A runtime with one thread for what blocks: jobs run there one by one.
fn with_one_blocking_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().max_blocking_threads(1).build()
}

/// Holds that thread until the sender is dropped.
fn hold_blocking_thread() -> mpsc::Sender<()> {
    let (open, opened) = mpsc::channel();
    spawn_blocking(move || opened.recv());
    open
}

#[test]
fn file_write() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("order");
    with_one_blocking_thread()?.block_on(async {
        let held = hold_blocking_thread();
        drop_pending!(fs::write(&file, "paid"));
        // It is queued, and not taken out again. A call that is queued
        // behind it finds what it wrote.
        drop(held);
        assert_eq!(fs::read_to_string(&file).await?, "paid");
        agrees("file_write", "goes_on", "the result");
        Ok(())
    })
}

#[test]
fn next_entry() -> io::Result<()> {
    const FILES: usize = 100;
    let folder = tempfile::tempdir()?;
    for file in 0..FILES {
        std::fs::write(folder.path().join(file.to_string()), "")?;
    }
    with_one_blocking_thread()?.block_on(async {
        let mut entries = fs::read_dir(folder.path()).await?;
        let mut held = Some(hold_blocking_thread());
        let mut names = BTreeSet::new();
        loop {
            let polled = futures::poll!(pin!(entries.next_entry()));
            let entry = match polled {
                Poll::Ready(entry) => entry?,
                // It was dropped while it waited.
                Poll::Pending => {
                    held.take();
                    entries.next_entry().await?
                }
            };
            let Some(entry) = entry else { break };
            names.insert(entry.file_name());
        }
        assert!(held.is_none(), "it never had to wait");
        assert_eq!(names.len(), FILES);
        agrees("next_entry", "safe", "nothing");
        Ok(())
    })
}

/// A shell that ends after a line of input, and says so on stderr.
fn shell() -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", "read line; echo ended >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

#[tokio::test]
async fn child_wait() -> io::Result<()> {
    let mut child = shell()?;
    let mut input = child.stdin.take().expect("it is piped");
    drop_pending!(child.wait());
    input.write_all(b"\n").await?;
    assert!(child.wait().await?.success());
    // Left in there, the first poll closes it.
    let mut child = shell()?;
    drop_pending!(child.wait());
    assert!(child.stdin.is_none());
    child.wait().await?;
    agrees(
        "child_wait",
        "safe",
        "nothing, but the first poll closes the child's `stdin`",
    );
    Ok(())
}

#[tokio::test]
async fn child_wait_with_output() -> io::Result<()> {
    let mut child = shell()?;
    let mut input = child.stdin.take().expect("it is piped");
    let mut errors = child.stderr.take().expect("it is piped");
    drop_pending!(child.wait_with_output());
    // The child is still there, and reads.
    input.write_all(b"\n").await?;
    let mut said = String::new();
    errors.read_to_string(&mut said).await?;
    assert_eq!(said, "ended\n");
    agrees(
        "child_wait_with_output",
        "goes_on",
        "the output, and the handle to the process",
    );
    Ok(())
}

#[tokio::test]
async fn signal_recv() -> io::Result<()> {
    let kind = SignalKind::user_defined1();
    let mut signals = signal(kind)?;
    drop_pending!(signals.recv());
    raise(kind.as_raw_value())?;
    assert_eq!(signals.recv().await, Some(()));
    agrees("signal_recv", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn ctrl_c() -> io::Result<()> {
    let kind = SignalKind::interrupt();
    let mut witness = signal(kind)?;
    drop_pending!(tokio::signal::ctrl_c());
    raise(kind.as_raw_value())?;
    assert_eq!(witness.recv().await, Some(()));
    // It came, and the next call knows nothing of it.
    drop_pending!(tokio::signal::ctrl_c());
    agrees("ctrl_c", "not_safe", "a signal that arrives between two calls");
    Ok(())
}
