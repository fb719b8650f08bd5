//! Runs chromedriver.

use anyhow::{Context, Result};
use export::chromium::find_program;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const INSTALL: &str = "on Debian and Ubuntu: apt-get install chromium chromium-driver; elsewhere install the \
    chromedriver of the same version as Chrome, and set the environment variable CHROMEDRIVER to its program";

/// How long chromedriver may take to start.
const START: Duration = Duration::from_secs(30);

/// A running chromedriver, which is killed on drop.
pub(crate) struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Result<Self> {
        let program = find_program("CHROMEDRIVER", &["chromedriver"], INSTALL)?;
        let mut child = Command::new(&program)
            // A free port, which chromedriver prints.
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // The wrapper scripts of some distributions print to it.
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take();
        // From here on, an error stops the child as well.
        let mut driver = Self { child, port: 0 };
        driver.port = output
            .and_then(printed_port)
            .with_context(|| format!("{} doesn't print its port; {INSTALL}", program.display()))?;
        Ok(driver)
    }

    /// The address of its WebDriver server.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Both fail if it has exited by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port that chromedriver prints. Its output is read to the end, because a full pipe would block it.
fn printed_port(output: ChildStdout) -> Option<u16> {
    let (sender, port) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                // The receiver is dropped once it has a port.
                let _ = sender.send(port);
            }
        }
    });
    port.recv_timeout(START).ok()
}

fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("started successfully on port ")?;
    rest.trim_end_matches('.').parse().ok()
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
}
