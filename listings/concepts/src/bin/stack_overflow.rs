//! Wrong: a future that is too large for a worker's stack.

use std::{
    env, io,
    process::{Command, Output},
};

use tokio::task::yield_now;

// ANCHOR: wrong
/// Wrong: the future contains four megabytes. Before it moves to the
/// box, it is on a worker's stack, which has only two megabytes.
async fn import() -> u8 {
    let page = [0u8; 4 << 20];
    yield_now().await;
    page[0]
}

#[tokio::main(worker_threads = 1)]
async fn serve() {
    let task = tokio::spawn(async { Box::pin(import()).await });
    println!("imported: {}", task.await.is_ok());
}
// ANCHOR_END: wrong

/// The output of a program, without the numbers of its threads.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(without_number).collect::<Vec<_>>().join("\n")
}

fn without_number(line: &str) -> String {
    match (line.find(" ("), line.find(')')) {
        (Some(begin), Some(end)) => {
            format!("{}{}", &line[..begin], &line[end + 1..])
        }
        _ => line.to_owned(),
    }
}

/// Runs itself, because a stack overflow ends the process.
fn main() -> io::Result<()> {
    if env::args().nth(1).is_some() {
        serve();
        return Ok(());
    }
    let program = env::current_exe()?;
    let output =
        Command::new(program).arg("serve").env_clear().output()?;
    println!("{}", said(&output));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test also runs itself, for the same reason.
    #[test]
    fn edges_it_fits_on_the_stack() {
        // It does not.
        const SERVES: &str = "STACK_OVERFLOW_SERVES";
        if env::var_os(SERVES).is_some() {
            return serve();
        }
        let program = env::current_exe().expect("this test");
        let output = Command::new(program)
            .arg("edges_it_fits_on_the_stack")
            .env(SERVES, "1")
            .output()
            .expect("it runs");
        assert!(!output.status.success());
        assert!(said(&output).contains("has overflowed its stack"));
    }
}
