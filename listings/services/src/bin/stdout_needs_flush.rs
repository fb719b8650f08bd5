//! Is the output of Tokio's stdout lost if the process exits right away?

use std::{env, io, process::Command, sync::mpsc};

use tokio::{io::AsyncWriteExt, task::spawn_blocking};

// ANCHOR: child
async fn write_and_exit(flush: bool) -> io::Result<()> {
    // The only blocking thread is busy for now, as on a busy machine.
    let (ready, busy) = mpsc::channel::<()>();
    spawn_blocking(move || busy.recv());

    let mut stdout = tokio::io::stdout();
    stdout.write_all(b"order 7 is placed\n").await?; // `Ok`
    if flush {
        drop(ready);
        stdout.flush().await?;
    }
    std::process::exit(0)
}
// ANCHOR_END: child

fn main() -> io::Result<()> {
    if let Some(way) = env::args().nth(1) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()?;
        return runtime.block_on(write_and_exit(way == "flush"));
    }
    for way in ["no flush", "flush"] {
        let mut child = Command::new(env::current_exe()?);
        let output = child.arg(way).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{way:<9} arrived: {text:?}");
    }
    Ok(())
}
