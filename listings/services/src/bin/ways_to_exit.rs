//! How a process can end, its exit code, and what it has written by then.

use std::{
    env,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    process::{Command, ExitCode},
};

use nix::sys::signal::{Signal, raise};
use tokio::sync::Mutex;

const WAYS: [&str; 9] = [
    "return Ok",
    "return Err",
    "ExitCode::from(75)",
    "panic in main",
    "panic in a task",
    "process::exit(3)",
    "process::abort()",
    "SIGTERM",
    "SIGKILL",
];

// ANCHOR: child
/// Writes to the log and to a report, and exits in one of the ways.
#[tokio::main(flavor = "current_thread")]
async fn end(way: &str, log: &Path) -> io::Result<ExitCode> {
    let disk = BusyDisk(File::create(log)?);
    let (mut log, _guard) = tracing_appender::non_blocking(disk);
    let mut report = BufWriter::new(io::stdout());
    // The disk is busy for as long as this function runs.
    let _busy = DISK.lock().await;

    writeln!(log, "order 7 is placed")?;
    writeln!(report, "1 order")?;
    match way {
        "return Ok" => {}
        "return Err" => return Err(io::ErrorKind::NotFound.into()),
        "ExitCode::from(75)" => return Ok(ExitCode::from(75)),
        "panic in main" => panic!("no tea"),
        "panic in a task" => {
            let task = tokio::spawn(async { panic!("no tea") });
            let _ = task.await; // The panic is ignored.
        }
        "process::exit(3)" => std::process::exit(3),
        "process::abort()" => std::process::abort(),
        "SIGTERM" => raise(Signal::SIGTERM)?,
        _ => raise(Signal::SIGKILL)?,
    }
    Ok(ExitCode::SUCCESS)
}
// ANCHOR_END: child

static DISK: Mutex<()> = Mutex::const_new(());

/// Writes only when nobody holds the lock.
struct BusyDisk(File);

impl Write for BusyDisk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // This thread belongs to the log's writer, not to the runtime.
        let _ready = DISK.blocking_lock();
        self.0.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().collect();
    if let [_, way, log] = args.as_slice() {
        return end(way, Path::new(log));
    }
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("orders.log");
    println!("{:<20}in a shell   log    report", "");
    for way in WAYS {
        // A shell starts the child, and prints its exit code.
        let output = Command::new("sh")
            .args(["-c", r#""$0" "$1" "$2"; printf "%s" "$?""#])
            .arg(env::current_exe()?)
            .arg(way)
            .arg(&log)
            .output()?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let code = stdout.trim_start_matches("1 order\n");
        let has = |it| if it { "kept" } else { "lost" };
        println!(
            "{way:<20}{code:>10}   {}   {}",
            has(!fs::read_to_string(&log)?.is_empty()),
            has(stdout.starts_with("1 order"))
        );
    }
    Ok(ExitCode::SUCCESS)
}
