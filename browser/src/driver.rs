//! Finds Chromium and chromedriver, and runs the latter.

use anyhow::{Context, Result, anyhow, bail};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const INSTALL: &str = "on Debian and Ubuntu: apt-get install chromium chromium-driver; \
    elsewhere install Chrome and the chromedriver of the same version, and name their programs in the \
    environment variables CHROME and CHROMEDRIVER";

/// How long chromedriver may take to start.
const START: Duration = Duration::from_secs(30);

/// A running chromedriver, which ends when this is dropped.
pub(crate) struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Result<Self> {
        let program = find("CHROMEDRIVER", &["chromedriver"])?;
        let mut child = Command::new(&program)
            // A port that is free, which chromedriver tells.
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // The wrapper scripts of some distributions talk here. What matters comes as an answer.
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take();
        // First of all the child is in its guard: what fails from here on ends it, too.
        let mut driver = Self { child, port: 0 };
        driver.port = output
            .and_then(told_port)
            .with_context(|| format!("{} does not tell its port; {INSTALL}", program.display()))?;
        Ok(driver)
    }

    /// The address to which WebDriver is spoken.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that opens the pages.
pub(crate) fn chrome() -> Result<PathBuf> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    find("CHROME", &names)
}

/// The port that chromedriver prints. All that it prints is read: it must not wait for a reader.
fn told_port(output: ChildStdout) -> Option<u16> {
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                // The other side waits no more once it has a port.
                let _ = sender.send(port);
            }
        }
    });
    told.recv_timeout(START).ok()
}

fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("started successfully on port ")?;
    rest.trim_end_matches('.').parse().ok()
}

/// The program that an environment variable names, or the first of these that is on the path.
fn find(variable: &str, names: &[&str]) -> Result<PathBuf> {
    if let Some(named) = env::var_os(variable).filter(|named| !named.is_empty()) {
        return on_path(Path::new(&named)).ok_or_else(|| {
            anyhow!(
                "{variable} names {}, which is not there; {INSTALL}",
                named.display()
            )
        });
    }
    match names.iter().find_map(|name| on_path(Path::new(name))) {
        Some(program) => Ok(program),
        None => bail!("{} is missing: {INSTALL}", names[0]),
    }
}

fn on_path(program: &Path) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    // A mere name is looked up; a path is taken as it is.
    let candidates: Vec<PathBuf> = match program.components().count() {
        1 => env::split_paths(&folders)
            .map(|folder| folder.join(program))
            .collect(),
        _ => vec![program.to_owned()],
    };
    let endings = ["", env::consts::EXE_SUFFIX];
    candidates
        .iter()
        .flat_map(|path| endings.map(|ending| format!("{}{ending}", path.display()).into()))
        .find(|path: &PathBuf| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_chromedriver_prints() {
        let line = "ChromeDriver was started successfully on port 40343.";
        assert_eq!(port_in(line), Some(40343));
        assert_eq!(port_in("Starting ChromeDriver on port 0"), None);
    }

    #[test]
    fn a_missing_program_is_told_with_what_to_install() {
        let error = find("NO_SUCH_VARIABLE", &["no-such-program"]).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with("no-such-program is missing: on Debian and Ubuntu: apt-get install chromium chromium-driver"),
            "{told}"
        );
    }
}
