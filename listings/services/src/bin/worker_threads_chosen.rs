//! How many worker threads a runtime has, and what changes their number.

use std::{env, fs, io, process::Command, thread};

use tokio::runtime::{Builder, Runtime};

/// Prints the number of worker threads of a new runtime.
fn child(way: &str) -> io::Result<()> {
    let runtime = match way {
        "builder" => {
            Builder::new_multi_thread().worker_threads(2).build()?
        }
        _ => Runtime::new()?,
    };
    println!("{}", runtime.metrics().num_workers());
    Ok(())
}

/// The number that the program prints, or the message of its panic.
fn answer(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        let number = String::from_utf8_lossy(&output.stdout);
        return Ok(number.trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let message = text.lines().find(|line| line.contains(VARIABLE));
    Ok(message.unwrap_or_default().to_owned())
}

/// The first core that this process may use.
fn a_core() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap_or("0");
    let digits = |it: &char| it.is_ascii_digit();
    Ok(list.trim().chars().take_while(digits).collect())
}

const VARIABLE: &str = "TOKIO_WORKER_THREADS";

// ANCHOR: main
fn main() -> io::Result<()> {
    if let Some(way) = env::args().nth(1) {
        return child(&way);
    }
    let program = env::current_exe()?;
    let start = |way| {
        let mut command = Command::new(&program);
        command.arg(way).env_remove(VARIABLE);
        command
    };
    let cores = thread::available_parallelism()?.to_string();
    let default = answer(&mut start("default"))?;
    println!("default: one per core: {}", default == cores);
    for value in ["3", "0", "two"] {
        let mut set = start("default");
        let said = answer(set.env(VARIABLE, value))?;
        println!("TOKIO_WORKER_THREADS={value}: {said}");
    }
    let mut both = start("builder");
    let said = answer(both.env(VARIABLE, "3"))?;
    println!("worker_threads(2), and the variable is 3: {said}");

    let mut one_core = Command::new("taskset");
    one_core.args(["-c", &a_core()?]).arg(&program).arg("default");
    let said = answer(one_core.env_remove(VARIABLE))?;
    println!("taskset to one core: {said}");
    Ok(())
}
// ANCHOR_END: main
