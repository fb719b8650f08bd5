//! Finds Chromium, and has it print a page.

use anyhow::{Context, Result, bail};
use process_control::{ChildExt, Control};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use url::Url;

/// What Chromium is called, here and there.
const NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];

const INSTALL: &str = "on Debian and Ubuntu: apt-get install chromium; elsewhere install Chromium or Chrome, and \
    name its program in the environment variable CHROME";

/// How long printing may take: the whole book takes some seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// The program that prints: the one that the environment variable CHROME names, or the first on the path.
///
/// # Errors
///
/// There is none; the error says what to install.
pub fn find() -> Result<PathBuf> {
    let named = env::var_os("CHROME").filter(|named| !named.is_empty());
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&folders).collect();
    find_in(named.as_deref().map(Path::new), &folders, NAMES)
}

fn find_in(named: Option<&Path>, folders: &[PathBuf], names: &[&str]) -> Result<PathBuf> {
    let found = |program: &Path| {
        // A mere name is looked up; a path is taken as it is.
        let paths: Vec<PathBuf> = match program.components().count() {
            1 => folders.iter().map(|folder| folder.join(program)).collect(),
            _ => vec![program.to_owned()],
        };
        let endings = ["", env::consts::EXE_SUFFIX];
        let mut candidates = paths.iter().flat_map(|path| {
            endings.map(|ending| PathBuf::from(format!("{}{ending}", path.display())))
        });
        candidates.find(|path| path.is_file())
    };
    match named {
        Some(named) => found(named).with_context(|| {
            format!(
                "the PDF is printed by Chromium, and CHROME names {}, which is not there; {INSTALL}",
                named.display()
            )
        }),
        None => names
            .iter()
            .find_map(|name| found(Path::new(name)))
            .with_context(|| format!("the PDF is printed by Chromium, which is missing: {INSTALL}")),
    }
}

/// Prints a page into a PDF, without asking any server for anything.
///
/// # Errors
///
/// The program fails, does not end, or prints nothing; the error has its own words.
pub fn print(chrome: &Path, page: &Path, pdf: &Path) -> Result<()> {
    let profile = tempfile::Builder::new()
        .prefix("chromium-profile-")
        .tempdir()
        .context("cannot make a profile for Chromium")?;
    let Ok(address) = Url::from_file_path(page) else {
        bail!("{} is no absolute path", page.display());
    };
    let option = |name: &str, path: &Path| {
        let mut option = std::ffi::OsString::from(name);
        option.push(path);
        option
    };
    let child = Command::new(chrome)
        // It opens no page but ours, and so runs as any user, in a container too.
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args([
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
        ])
        // Whatever a page might ask for outside of this machine is not found.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .args(["--no-pdf-header-footer", "--generate-pdf-document-outline"])
        .arg(option("--user-data-dir=", profile.path()))
        .arg(option("--print-to-pdf=", pdf))
        .arg(address.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", chrome.display()))?;
    let ended = child
        .controlled_with_output()
        .time_limit(LIMIT)
        .terminate_for_timeout()
        .wait()
        .with_context(|| format!("cannot wait for {}", chrome.display()))?;
    let Some(ended) = ended else {
        bail!(
            "{} did not end within {} s",
            chrome.display(),
            LIMIT.as_secs()
        );
    };
    let printed = fs::read(pdf).unwrap_or_default();
    if !ended.status.success() || !is_pdf(&printed) {
        bail!(
            "{} printed no PDF ({}). It said:\n{}",
            chrome.display(),
            ended.status,
            String::from_utf8_lossy(&ended.stderr).trim_end()
        );
    }
    Ok(())
}

/// Whether these bytes are a PDF, from the first to the last.
fn is_pdf(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(32)..];
    bytes.starts_with(b"%PDF-") && String::from_utf8_lossy(end).contains("%%EOF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_named_one_or_the_first_on_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").expect("it can be written");
            path
        };
        let (second, named) = (program("second"), program("named"));
        let folders = [folder.path().to_owned()];
        let find = |named: Option<&Path>| find_in(named, &folders, &["first", "second"]);
        assert_eq!(find(None).expect("found"), second);
        assert_eq!(find(Some(&named)).expect("found"), named);
        assert_eq!(find(Some(Path::new("named"))).expect("found"), named);
    }

    #[test]
    fn a_missing_program_is_told_with_what_to_install() {
        let told = |named: Option<&Path>| {
            let error = find_in(named, &[], &["no-such-program"]).expect_err("it is missing");
            format!("{error:#}")
        };
        assert_eq!(
            told(None),
            "the PDF is printed by Chromium, which is missing: on Debian and Ubuntu: apt-get install chromium; \
             elsewhere install Chromium or Chrome, and name its program in the environment variable CHROME"
        );
        let named = told(Some(Path::new("/no/such/program")));
        assert!(
            named.contains("CHROME names /no/such/program, which is not there; on Debian"),
            "{named}"
        );
    }

    #[test]
    fn half_a_pdf_is_none() {
        assert!(is_pdf(b"%PDF-1.4\n...\n%%EOF\n"));
        assert!(!is_pdf(b"%PDF-1.4\n..."));
        assert!(!is_pdf(b""));
    }
}
