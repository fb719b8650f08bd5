//! Wrong: recursion without a limit overflows the stack despite a box.

use std::{
    env, io,
    process::{Command, Output},
};

// ANCHOR: wrong
/// Wrong: counts the files of nested folders without a depth limit.
/// The futures are on the heap, but every level polls the next one,
/// which needs stack.
async fn count(folder: &Folder) -> usize {
    let mut files = folder.files;
    for inner in &folder.folders {
        files += Box::pin(count(inner)).await;
    }
    files
}

#[tokio::main(worker_threads = 1)]
async fn serve() {
    let deep: &Folder = Box::leak(Box::new(nested(100_000)));
    let task = tokio::spawn(count(deep));
    println!("counted: {}", task.await.is_ok());
}
// ANCHOR_END: wrong

struct Folder {
    files: usize,
    folders: Vec<Folder>,
}

/// A folder with that many levels of folders below it.
fn nested(depth: usize) -> Folder {
    let mut folder = Folder { files: 1, folders: Vec::new() };
    for _ in 0..depth {
        folder = Folder { files: 1, folders: vec![folder] };
    }
    folder
}

/// The output of a program, without the numbers of its threads.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(without_number).collect::<Vec<_>>().join("\n")
}

fn without_number(line: &str) -> String {
    match (line.find(" ("), line.find(')')) {
        (Some(start), Some(end)) => {
            format!("{}{}", &line[..start], &line[end + 1..])
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
    fn edges_a_deep_folder_does_not_overflow_the_stack() {
        // It does.
        const SERVES: &str = "RECURSION_OVERFLOWS_SERVES";
        if env::var_os(SERVES).is_some() {
            return serve();
        }
        let program = env::current_exe().expect("this test");
        let output = Command::new(program)
            .arg("edges_a_deep_folder_does_not_overflow_the_stack")
            .env(SERVES, "1")
            .output()
            .expect("it runs");
        assert!(!output.status.success());
        assert!(said(&output).contains("has overflowed its stack"));
    }

    #[tokio::test]
    async fn a_shallow_folder_is_counted() {
        assert_eq!(count(&nested(10)).await, 11);
    }
}
