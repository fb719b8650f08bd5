//! Finds Chromium, and prints a page with it.

use crate::links::file_url;
use anyhow::{Context, Result, bail};
use process_control::{ChildExt, Control};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The names of Chromium and Chrome on Linux, macOS, and Windows.
const NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];

const INSTALL: &str = "on Debian and Ubuntu: apt-get install chromium; elsewhere install Chromium or Chrome, and \
    set the environment variable CHROME to its program";

/// How long printing may take. The whole book takes a few seconds.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Chromium: the program that the environment variable CHROME names, or the first one on the path.
///
/// # Errors
///
/// It isn't installed; the error says how to install it.
pub fn find() -> Result<PathBuf> {
    find_program("CHROME", NAMES, INSTALL)
}

/// The program that an environment variable names, or else the first of these names that is on the path. The names
/// can also be absolute paths.
///
/// # Errors
///
/// There is no such program. The error ends with the installation instructions.
pub fn find_program(variable: &str, names: &[&str], install: &str) -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&folders).collect();
    match env::var_os(variable).filter(|program| !program.is_empty()) {
        Some(program) => find_in(Path::new(&program), &folders).with_context(|| {
            let program = program.display();
            format!("{variable} is set to {program}, which doesn't exist; {install}")
        }),
        None => names
            .iter()
            .find_map(|name| find_in(Path::new(name), &folders))
            .with_context(|| format!("{} is missing: {install}", names[0])),
    }
}

/// A name is looked up in the folders; a path is used as it is.
fn find_in(program: &Path, folders: &[PathBuf]) -> Option<PathBuf> {
    let paths: Vec<PathBuf> = match program.components().count() {
        1 => folders.iter().map(|folder| folder.join(program)).collect(),
        _ => vec![program.to_owned()],
    };
    let extensions = ["", env::consts::EXE_SUFFIX];
    let mut candidates = paths.iter().flat_map(|path| {
        extensions.map(|extension| PathBuf::from(format!("{}{extension}", path.display())))
    });
    candidates.find(|path| path.is_file())
}

/// Prints a page to a PDF, without any network.
///
/// # Errors
///
/// Chromium fails, times out, or prints nothing; the error has what it wrote to standard error.
pub fn print(chrome: &Path, page: &Path, pdf: &Path) -> Result<()> {
    let profile = tempfile::Builder::new()
        .prefix("chromium-profile-")
        .tempdir()
        .context("cannot make a profile for Chromium")?;
    let Some(address) = file_url(page) else {
        bail!("{} is not an absolute path", page.display());
    };
    let option = |name: &str, path: &Path| {
        let mut option = std::ffi::OsString::from(name);
        option.push(path);
        option
    };
    let child = Command::new(chrome)
        // It opens only our page, so it can run without a sandbox: as root, and in a container.
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
        ])
        // No host name is resolved, so a page cannot load anything from another machine.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .args(["--no-pdf-header-footer", "--generate-pdf-document-outline"])
        .arg(option("--user-data-dir=", profile.path()))
        .arg(option("--print-to-pdf=", pdf))
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", chrome.display()))?;
    let ended = child
        .controlled_with_output()
        .time_limit(TIMEOUT)
        .terminate_for_timeout()
        .wait()
        .with_context(|| format!("cannot wait for {}", chrome.display()))?;
    let Some(ended) = ended else {
        bail!(
            "{} did not exit within {} s",
            chrome.display(),
            TIMEOUT.as_secs()
        );
    };
    let printed = fs::read(pdf).unwrap_or_default();
    if !ended.status.success() || !is_pdf(&printed) {
        bail!(
            "{} printed no PDF ({}). Its standard error:\n{}",
            chrome.display(),
            ended.status,
            String::from_utf8_lossy(&ended.stderr).trim_end()
        );
    }
    Ok(())
}

/// Whether these bytes are a complete PDF.
fn is_pdf(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(32)..];
    bytes.starts_with(b"%PDF-") && String::from_utf8_lossy(end).contains("%%EOF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_on_the_path_and_a_path_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("program");
        fs::write(&program, "").expect("it can be written");
        let find = |name: &Path| find_in(name, &[folder.path().to_owned()]);
        assert_eq!(find(Path::new("program")), Some(program.clone()));
        assert_eq!(find(&program), Some(program));
        assert_eq!(find(Path::new("other")), None);
        assert_eq!(find(Path::new("/no/such/program")), None);
    }

    #[test]
    fn the_error_says_how_to_install_a_missing_program() {
        let error = |variable: &str| {
            let found = find_program(variable, &["no-such-program"], "install it");
            found.expect_err("it is missing").to_string()
        };
        assert_eq!(
            error("NO_SUCH_VARIABLE"),
            "no-such-program is missing: install it"
        );
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            error("CARGO_PKG_VERSION"),
            format!("CARGO_PKG_VERSION is set to {version}, which doesn't exist; install it")
        );
    }

    #[test]
    fn an_incomplete_pdf_is_none() {
        assert!(is_pdf(b"%PDF-1.4\n...\n%%EOF\n"));
        assert!(!is_pdf(b"%PDF-1.4\n..."));
        assert!(!is_pdf(b""));
    }
}
