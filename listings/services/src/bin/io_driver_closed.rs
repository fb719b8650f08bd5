//! Tokio panics if a daemon's setup closes the runtime's descriptors.

use std::{env, io, process::Command};

// ANCHOR: closed
fn child() -> io::Result<()> {
    let runtime = idle_runtime()?;
    // A daemon's setup closes all of them. This descriptor wakes workers.
    nix::unistd::close(descriptor_of("[eventfd]")?)?;
    runtime.spawn(async {}); // Panics.
    std::process::exit(0)
}
// ANCHOR_END: closed

/// The file descriptor of this kind, which only the runtime has.
fn descriptor_of(kind: &str) -> io::Result<i32> {
    for descriptor in std::fs::read_dir("/proc/self/fd")? {
        let path = descriptor?.path();
        // The descriptor of the directory itself is closed by now.
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let name = path.file_name().unwrap_or_default();
        if target.to_string_lossy().ends_with(kind)
            && let Ok(number) = name.to_string_lossy().parse()
        {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// A runtime whose only worker waits for sockets and timers.
fn idle_runtime() -> io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    while runtime.metrics().worker_park_count(0) == 0 || !sleeps()? {
        std::thread::yield_now();
    }
    Ok(runtime)
}

/// Whether the worker is asleep, according to Linux.
fn sleeps() -> io::Result<bool> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        if stat.contains("(tokio-rt-worker) S") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn main() -> io::Result<()> {
    if env::args().nth(1).is_some() {
        std::panic::set_hook(Box::new(|panic| {
            println!("{}", panic.payload_as_str().unwrap_or_default());
            // The runtime can't be shut down either.
            std::process::exit(101);
        }));
        return child();
    }
    let mut command = Command::new(env::current_exe()?);
    let output = command.arg("child").output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
