//! courier as a process.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{place::Place, until};

/// How long courier may take to drain. A delivery that takes longer is cut off and sent again, which shouldn't happen even on a busy machine.
pub const GRACE: Duration = Duration::from_secs(40);
const MINUTE: Duration = Duration::from_secs(60);

/// How long a delivery is leased.
pub const LEASE: Duration = Duration::from_secs(3);
/// Attempts that a process makes at the same time, in total: this many doubles one kill can cause.
pub const IN_FLIGHT: usize = 16;

/// The settings of the tests, so that they take seconds. The time limit of an attempt is longer than a good receiver takes,
/// even on a busy machine: otherwise, the receiver would get the event twice.
pub const CONFIG: &str = r#"
[deliver]
total = 16
per_subscription = 8
attempt_timeout = "20s"
connect_timeout = "20s"
lease = "3s"
poll = "100ms"
private_addresses = true

[retry]
first = "20ms"
most = "300ms"
attempts = 1000
budget = 1000.0

[breaker]
failures = 1000000
open = "100ms"
"#;

/// A process, or the place of one that's dead: it's started again at the same address.
pub struct Courier {
    /// Its address, as `http://127.0.0.1:17000`.
    pub url: String,
    /// How many files it may have open.
    pub files: u64,
    arguments: Vec<String>,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    client: Client,
}

impl Courier {
    /// A process on the database of a place, which isn't started yet.
    pub fn new(place: &Place, config: &str) -> Self {
        let port = free_port();
        let file = place.path(&format!("{port}.toml"));
        let address = format!("127.0.0.1:{port}");
        let arguments = [
            "--bind",
            &address,
            "--database",
            &place.database,
            "--config",
            &file.display().to_string(),
            "--grace",
            &format!("{}s", GRACE.as_secs()),
        ];
        let new = Self {
            url: format!("http://{address}"),
            files: 20_000,
            arguments: arguments.map(str::to_owned).to_vec(),
            config: file,
            log: place.path(&format!("{port}.log")),
            child: None,
            client: Client::new(),
        };
        new.configure(config);
        new
    }

    /// Writes its configuration.
    pub fn configure(&self, config: &str) {
        fs::write(&self.config, config).expect("a file");
    }

    /// Starts it, if it isn't running, and doesn't wait.
    pub fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let mut options = File::options();
        let log = options.create(true).append(true).open(&self.log);
        let log = log.expect("a log");
        // A write beyond the limit of a file's size is an error, and doesn't end the process.
        let limits = format!("trap '' XFSZ; ulimit -n {}", self.files);
        let child = Command::new("sh")
            .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_courier"))
            .args(&self.arguments)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.expect("courier starts"));
    }

    /// Starts it, and waits until it accepts events.
    pub async fn ready(&mut self) {
        self.start();
        until("ready", MINUTE, async || {
            let child = self.child.as_mut().expect("it runs");
            if let Some(status) = child.try_wait().expect("its state") {
                panic!("courier ended ({status}):\n{}", self.log());
            }
            let ready = self.client.get(format!("{}/ready", self.url));
            let answer = ready.timeout(MINUTE / 12).send().await;
            answer.is_ok_and(|it| it.status().is_success())
        })
        .await;
    }

    /// Ends it, and waits for that. Returns how long it took.
    async fn signal(
        &mut self,
        signal: Signal,
    ) -> (ExitStatus, Duration) {
        let start = Instant::now();
        kill(self.pid(), signal).expect("it's signaled");
        let status = self.ended().await;
        (status, start.elapsed())
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        let (status, _) = self.signal(Signal::SIGKILL).await;
        // It hasn't ended by itself before.
        assert_eq!(status.signal(), Some(9), "{}", self.log());
    }

    /// Stops it within its grace period.
    pub async fn stop(&mut self) {
        // Before that, it may not handle the signal yet.
        self.ready().await;
        let (status, took) = self.signal(Signal::SIGTERM).await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert!(took < GRACE, "{took:?}");
    }

    /// Lets it do nothing for a while.
    pub async fn stall(&self, time: Duration) {
        kill(self.pid(), Signal::SIGSTOP).expect("it's signaled");
        sleep(time).await;
        kill(self.pid(), Signal::SIGCONT).expect("it's signaled");
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().expect("its state").is_some()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        match timeout(MINUTE, child.wait()).await {
            Ok(status) => status.expect("its status"),
            Err(_) => panic!("it doesn't end:\n{}", self.log()),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        let child = self.child.as_ref().expect("it runs");
        let pid = child.id().expect("not waited for");
        Pid::from_raw(i32::try_from(pid).expect("a pid"))
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid()));
        files.expect("it runs").count()
    }

    /// Its memory, in KiB.
    pub fn memory(&self) -> u64 {
        let file = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(file).expect("it runs");
        let line = status.lines().find(|it| it.starts_with("VmRSS"));
        let number = line.and_then(|it| it.split_whitespace().nth(1));
        number.expect("its memory").parse().expect("a number")
    }

    /// What it wrote to stdout and stderr, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Adds a subscription.
    pub async fn subscribe(&self, name: &str, url: &str) {
        let body = json!({"url": url, "topics": []});
        let url = format!("{}/subscriptions/{name}", self.url);
        let answer = self.client.put(url).json(&body).send().await;
        let answer = answer.expect("it answers");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// An answer as JSON.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.url));
        let answer = answer.send().await.expect("it answers");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json().await.expect("JSON")
    }

    /// How many deliveries are open, or `None` if it doesn't say.
    pub async fn open(&self) -> Option<u64> {
        let answer = self.client.get(format!("{}/metrics", self.url));
        let answer = answer.send().await.ok()?;
        let text = answer.error_for_status().ok()?.text().await.ok()?;
        let lines = text.lines();
        let open = lines.filter(|it| it.starts_with("courier_open{"));
        open.map(|it| it.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Waits until every delivery is made and recorded.
    ///
    /// # Panics
    ///
    /// For a minute, there are no fewer.
    pub async fn drained(&self) {
        let mut least = u64::MAX;
        while least > 0 {
            let before = least;
            until("delivering", MINUTE, async || {
                least = self.open().await.unwrap_or(least);
                least < before || least == 0
            })
            .await;
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("{}: {}", self.url, last.join("\n"));
        }
    }
}

/// A port that's free, and that no client's connection takes while courier is dead.
fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
