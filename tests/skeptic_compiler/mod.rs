//! The compiler that skeptic starts: the real one, in edition 2024, with a memory.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Names the real compiler, and makes this executable act as one.
pub const REAL: &str = "BOOK_REAL_RUSTC";

/// Names the file to which each program that was made adds a byte.
pub const LOG: &str = "BOOK_COMPILED_LOG";

/// Holds what the real compiler says of itself, asked once for all programs.
pub const VERSION: &str = "BOOK_RUSTC_VERSION";

/// The argument that marks a worker, which has the variable too but is no compiler.
pub const WORKER: &str = "--skeptic-worker";

/// Kept executables are removed when they are so old.
const FORGET_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);

/// Compiles and returns the compiler's status, where this process was started as a compiler.
pub fn run_if_asked() -> Option<ExitCode> {
    let real = env::var_os(REAL)?;
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == WORKER) {
        return None;
    }
    let arguments: Vec<_> = arguments
        .into_iter()
        .map(|argument| {
            if argument == "--edition=2021" {
                "--edition=2024".into()
            } else {
                argument
            }
        })
        .collect();
    let code = compile(&real, arguments).unwrap_or_else(|error| {
        eprintln!("cannot start the compiler {}: {error}", real.display());
        1
    });
    Some(ExitCode::from(code))
}

/// Proves that the stand-in puts the edition right: a program that is one only in edition 2024 passes
/// through it where skeptic's own words to the compiler are used, and not without it.
pub fn takes_edition_2024() -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join("edition.rs");
    let text = "fn main() { if let Some(n) = Some(1) && n > 0 { println!(\"{n}\"); } }\n";
    fs::write(&program, text).map_err(|error| error.to_string())?;
    let compiles = |compiler: &OsString, real: Option<&OsString>| {
        let mut command = Command::new(compiler);
        command
            .arg(&program)
            .args(["--edition=2021", "--emit=metadata", "--out-dir"])
            .arg(folder);
        command.envs(real.map(|real| (REAL, real)));
        command
            .output()
            .map(|output| output.status.success())
            .map_err(|error| error.to_string())
    };
    let real = real();
    let itself = env::current_exe()
        .map_err(|error| error.to_string())?
        .into_os_string();
    if compiles(&real, None)? {
        return Err(
            "the program that only edition 2024 takes compiles in 2021 too; take another one"
                .into(),
        );
    }
    if !compiles(&itself, Some(&real))? {
        return Err("the compiler's stand-in does not ask for edition 2024".into());
    }
    Ok(())
}

fn compile(real: &OsString, mut arguments: Vec<OsString>) -> std::io::Result<u8> {
    let kept = Kept::of(&arguments);
    if let Some(kept) = &kept {
        if kept.restore() {
            count()?;
            return Ok(0);
        }
        // The program runs once, here: neither debug information nor symbols are of use.
        arguments.extend(["-Cdebuginfo=0".into(), "-Cstrip=symbols".into()]);
    }
    let status = Command::new(real).args(&arguments).status()?;
    if let Some(kept) = kept.filter(|_| status.success()) {
        kept.store();
        count()?;
    }
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

/// Tells that one more program is there to run.
fn count() -> std::io::Result<()> {
    let Some(log) = env::var_os(LOG) else {
        return Ok(());
    };
    fs::File::options()
        .create(true)
        .append(true)
        .open(log)?
        .write_all(b".")
}

/// Where the executable of one program is kept, and where the compiler is to put it.
struct Kept {
    entry: PathBuf,
    output: PathBuf,
}

impl Kept {
    /// `None` where the compiler is asked for something else than a program.
    fn of(arguments: &[OsString]) -> Option<Self> {
        let after = |flag: &str| {
            arguments
                .iter()
                .position(|a| a == flag)
                .and_then(|at| arguments.get(at + 1))
        };
        let output = PathBuf::from(after("-o")?);
        let source = arguments
            .iter()
            .find(|argument| Path::new(argument).extension().is_some_and(|e| e == "rs"))?;
        let mut hasher = DefaultHasher::new();
        env::var_os(VERSION)?.hash(&mut hasher);
        fs::read(source).ok()?.hash(&mut hasher);
        for argument in arguments
            .iter()
            .filter(|argument| *argument != source && Path::new(argument) != output)
        {
            argument.hash(&mut hasher);
            // `--extern tokio=/path/to/libtokio.rlib`: another build of the crate is another program.
            let path = argument
                .to_str()
                .and_then(|argument| argument.split_once('='));
            if let Some(Ok(meta)) = path.map(|(_, path)| fs::metadata(path)) {
                (meta.len(), meta.modified().ok()).hash(&mut hasher);
            }
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeptic");
        fs::create_dir_all(&folder).ok()?;
        Some(Self {
            entry: folder.join(format!("{:016x}", hasher.finish())),
            output,
        })
    }

    fn restore(&self) -> bool {
        // The same file under another name where the disk allows it. Both ways, nobody has it open for
        // writing when it is started.
        fs::hard_link(&self.entry, &self.output).is_ok()
            || fs::copy(&self.entry, &self.output).is_ok()
    }

    /// Keeps what was compiled; where that fails, it is compiled again next time.
    fn store(&self) {
        let half = self.entry.with_extension(std::process::id().to_string());
        if fs::copy(&self.output, &half).is_ok() {
            let _ = fs::rename(&half, &self.entry);
        }
        forget_old(self.entry.parent());
    }
}

fn forget_old(folder: Option<&Path>) {
    for entry in folder
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten()
        .flatten()
    {
        let modified = entry.metadata().and_then(|meta| meta.modified());
        if modified
            .ok()
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age > FORGET_AFTER)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The compiler that cargo uses here.
pub fn real() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// What a compiler says of itself: another version makes another program.
pub fn version_of(compiler: &OsString) -> std::io::Result<String> {
    let output = Command::new(compiler).arg("-vV").output()?;
    if !output.status.success() {
        return Err(std::io::Error::other(format!(
            "{} -vV failed",
            compiler.display()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
