//! A task prints although nobody reads the program's stdout anymore.

use std::{
    env,
    io::{self, Write},
    panic,
    process::{Command, Stdio},
};

// ANCHOR: print
async fn print_orders() -> io::Result<()> {
    let task = tokio::spawn(async { println!("order 7 is placed") });
    if task.await.is_err() {
        eprintln!("the task that called println! has ended");
    }
    if let Err(error) = writeln!(io::stdout(), "order 8 is placed") {
        eprintln!("writeln! returns the error: {error}");
    }
    Ok(())
}
// ANCHOR_END: print

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("child") {
        // Wait until the parent has closed the pipe.
        io::stdin().read_line(&mut String::new())?;
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or_default();
            eprintln!("panic: {message}");
        }));
        return print_orders().await;
    }
    let mut child = Command::new(env::current_exe()?)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take()); // head does this when it exits.
    let ended = child.wait_with_output()?;
    print!("{}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}
