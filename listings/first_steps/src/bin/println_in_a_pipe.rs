//! What a killed process has written to a pipe, as in a container.

use std::{env, io, process};

// ANCHOR: pipe
fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() == Some("child") {
        println!("order 7 is placed");
        print!("order 8 is "); // No `\n` yet.
        process::abort(); // As if it were killed.
    }
    let program = env::current_exe()?;
    let child = process::Command::new(program).arg("child").output()?;
    let text = String::from_utf8_lossy(&child.stdout);
    println!("arrived: {text:?}");
    Ok(())
}
// ANCHOR_END: pipe
