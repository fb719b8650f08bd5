//! Reads what the child prints while it waits for its end.

use std::{io, process::Stdio, time::Duration};

use tokio::time::timeout;

// ANCHOR: run
use tokio::process::{Child, Command};

fn export() -> io::Result<Child> {
    Command::new("head")
        .args(["-c", "200000", "/dev/zero"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn run(child: Child) -> io::Result<usize> {
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(io::Error::other(output.status.to_string()));
    }
    Ok(output.stdout.len())
}
// ANCHOR_END: run

async fn export_in_time() -> io::Result<usize> {
    timeout(Duration::from_secs(60), run(export()?)).await?
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match export_in_time().await {
        Ok(bytes) => println!("{bytes} bytes"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_of_it_is_read() -> io::Result<()> {
        assert_eq!(export_in_time().await?, 200_000);
        Ok(())
    }
}
