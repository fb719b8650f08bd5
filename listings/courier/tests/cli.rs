//! The program, as an operator sees it.
#![cfg(unix)]

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

type Tested = io::Result<()>;

const COURIER: &str = env!("CARGO_BIN_EXE_courier");
const LONG: Duration = Duration::from_secs(30);

/// A running courier, which is killed when a test fails.
struct Courier {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Drop for Courier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(COURIER);
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env_remove("COURIER_URL")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

fn start(
    folder: tempfile::TempDir,
    more: &[&str],
) -> io::Result<Courier> {
    Ok(start_and_read(folder, more)?.0)
}

/// Also returns the rest of its output.
fn start_and_read(
    folder: tempfile::TempDir,
    more: &[&str],
) -> io::Result<(Courier, impl BufRead)> {
    let bind = ["--bind", "127.0.0.1:0"];
    let log = std::fs::File::create(folder.path().join("log"))?;
    let mut child = command(folder.path(), &[&bind, more].concat())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let stdout = child.stdout.take().expect("it's piped");
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line)?;
    let log = std::fs::read_to_string(folder.path().join("log"))?;
    assert!(line.starts_with("courier listens on http://"), "{log}");
    let url = line.split([' ', ':']).nth(5).expect("a port");
    let url = format!("http://127.0.0.1:{url}");
    let it = Courier { child, url, folder };
    // It handles signals since before it has printed the line.
    Ok((it, stdout))
}

fn new(more: &[&str]) -> io::Result<Courier> {
    start(tempfile::tempdir()?, more)
}

impl Courier {
    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("an id");
        kill(Pid::from_raw(id), signal).expect("it runs");
    }

    fn ended(&mut self) -> io::Result<Option<i32>> {
        let begun = Instant::now();
        while begun.elapsed() < LONG {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            sleep(Duration::from_millis(10));
        }
        panic!("it doesn't end: {}", self.log());
    }

    fn log(&self) -> String {
        let log = self.folder.path().join("log");
        std::fs::read_to_string(log).expect("a log")
    }

    fn until_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < LONG, "{}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    fn ctl(
        &self,
        arguments: &[&str],
        input: &str,
    ) -> io::Result<Output> {
        let url = ["ctl", "--url", &self.url];
        let all = [&url, arguments].concat();
        let mut child = command(self.folder.path(), &all)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().expect("it's piped");
        // It may not read it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output()
    }

    /// What it prints, if it works.
    fn works(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.ctl(arguments, "{}")?;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The error, if it doesn't.
    fn fails(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.ctl(arguments, "{}")?;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The error of a courier that doesn't start.
fn refused(arguments: &[&str]) -> io::Result<String> {
    let folder = tempfile::tempdir()?;
    let output = command(folder.path(), arguments).output()?;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert_eq!(output.stdout, b"");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn edges_help_is_complete() -> Tested {
    let folder = tempfile::tempdir()?;
    let help = |arguments: &[&str]| -> io::Result<String> {
        let output = command(folder.path(), arguments).output()?;
        assert!(output.status.success());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let main = help(&["--help"])?;
    for needed in [
        "--bind",
        "--database",
        "--config",
        "--token-file",
        "--grace",
        "--notice",
        "--probes",
        "DATABASE_URL",
        "ctl",
        "Exit codes",
        "SIGHUP",
        "127.0.0.1:8080",
        "sqlite:courier.db",
        "30s",
    ] {
        assert!(main.contains(needed), "{needed}: {main}");
    }
    let ctl = help(&["ctl", "--help"])?;
    for needed in [
        "status",
        "dead",
        "redeliver",
        "subscribe",
        "unsubscribe",
        "subscriptions",
        "send",
        "--url",
        "--token-file",
        "COURIER_URL",
    ] {
        assert!(ctl.contains(needed), "{needed}: {ctl}");
    }
    let output = command(folder.path(), &["--bnid", "x"]).output()?;
    assert_eq!(output.status.code(), Some(2));
    Ok(())
}

#[test]
fn edges_probes_have_their_own_address() -> Tested {
    let probes = ["--probes", "127.0.0.1:0"];
    let (_it, mut stdout) =
        start_and_read(tempfile::tempdir()?, &probes)?;
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let to =
        line.trim().strip_prefix("courier answers probes on http://");
    let to = to.expect("their address");
    let mut probe = std::net::TcpStream::connect(to)?;
    let live = b"GET /live HTTP/1.1\r\nhost: courier\r\n\
        connection: close\r\n\r\n";
    probe.write_all(live)?;
    let mut answer = String::new();
    probe.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let bind = ["--bind", "127.0.0.1:0", "--probes", to];
    let error = refused(&bind)?;
    assert!(error.contains("--probes"), "{error}");
    Ok(())
}

#[test]
fn failure_to_start_says_what_to_do() -> Tested {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let taken = taken.local_addr()?.to_string();
    let taken_too = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken_too.local_addr()?.to_string();
    drop(taken);
    let error = refused(&["--bind", &address])?;
    assert!(error.contains(&address), "{error}");
    assert!(error.contains("--bind"), "{error}");
    for any in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = refused(&["--bind", any])?;
        assert!(error.contains("--token-file"), "{error}");
    }
    let bind = ["--bind", "127.0.0.1:0"];
    let with = |more: [&str; 2]| refused(&[bind, more].concat());
    let secret = "postgres://user:hunter2@127.0.0.1:1/none";
    let odd = "postgres://user:hunter2?@127.0.0.1:1/none";
    let none = "sqlite:/none/x.db";
    for database in [none, "mysql://x", "", secret, odd] {
        let error = with(["--database", database])?;
        assert!(error.contains("--database"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    let path = file.to_str().expect("UTF-8");
    assert!(with(["--token-file", path])?.contains(path));
    assert!(with(["--config", path])?.contains(path));
    std::fs::write(&file, "short")?;
    assert!(with(["--token-file", path])?.contains("16 characters"));
    std::fs::write(&file, "[accept]\n\nrequests = 0\n")?;
    let error = with(["--config", path])?;
    assert!(error.contains("line 3"), "{error}");
    assert!(error.contains(path), "{error}");
    Ok(())
}

#[test]
fn edges_ctl_does_everything() -> Tested {
    let it = new(&[])?;
    let url = "http://127.0.0.1:9/";
    let new =
        it.works(&["subscribe", "shop", url, "--topic", "order"])?;
    assert!(new.contains("whsec_"), "{new}");
    let all = it.works(&["subscriptions"])?;
    assert!(all.contains(&format!("shop\t{url}\torder")), "{all}");
    let send = ["send", "order", "--key", "7", "--id", "e1"];
    assert!(it.works(&send)?.contains("e1\t1"));
    // Again.
    assert!(it.works(&send)?.contains("e1\t-"));
    let other = it.ctl(&send, "other")?;
    assert_eq!(other.status.code(), Some(1));
    let other = String::from_utf8_lossy(&other.stderr);
    assert!(other.contains("422"), "{other}");
    assert!(it.works(&["send", "other"])?.contains("\t0"));
    let status = it.works(&["status"])?;
    assert!(status.contains("shop\t1\t"), "{status}");
    assert!(it.works(&["dead"])?.starts_with("delivery\t"));
    assert!(it.fails(&["redeliver", "77"])?.contains("delivery 77"));
    it.works(&["unsubscribe", "shop"])?;
    assert!(it.fails(&["unsubscribe", "shop"])?.contains("404"));
    let ftp = it.fails(&["subscribe", "shop", "ftp://r.test/"])?;
    assert!(ftp.contains("only http and https"), "{ftp}");
    for (url, says) in
        [("http://127.0.0.1:1", "is it running?"), ("nonsense", "")]
    {
        let error = refused(&["ctl", "--url", url, "status"])?;
        assert!(error.contains(says), "{error}");
    }
    Ok(())
}

#[test]
fn edges_token_is_required() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    std::fs::write(&file, "correct-horse-battery\n")?;
    let path = file.to_str().expect("UTF-8");
    let it = new(&["--token-file", path])?;
    let error = it.fails(&["status"])?;
    assert!(error.contains("401"), "{error}");
    it.works(&["--token-file", path, "status"])?;
    assert!(!it.log().contains("correct-horse"));
    Ok(())
}

#[test]
fn stop_by_signal_is_no_error() -> Tested {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut it = new(&[])?;
        it.works(&["subscribe", "shop", "http://127.0.0.1:9/"])?;
        it.works(&["send", "order", "--id", "e1"])?;
        it.signal(signal);
        assert_eq!(it.ended()?, Some(0), "{}", it.log());
        // What was accepted is there after a restart.
        let folder =
            std::mem::replace(&mut it.folder, tempfile::tempdir()?);
        let it = start(folder, &[])?;
        assert!(it.works(&["status"])?.contains("shop\t1\t"));
        assert!(
            it.works(&["send", "order", "--id", "e1"])?.contains("-")
        );
    }
    Ok(())
}

/// By default, each of these signals would kill courier, which is still starting: what it opens is silent.
#[test]
fn stop_while_it_starts() -> Tested {
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let database = format!("postgres://u@{}/d", silent.local_addr()?);
    let pipe = tempfile::tempdir()?;
    let pipe = pipe.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let path = pipe.to_str().expect("UTF-8");
    for (option, value) in [
        ("--database", &*database),
        ("--config", path),
        ("--token-file", path),
    ] {
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let bind = ["--bind", "127.0.0.1:0", option, value];
        let child =
            command(folder.path(), &bind).stderr(log).spawn()?;
        let mut it = Courier { child, url: String::new(), folder };
        // Wait until courier has connected, or opened the pipe.
        let (mut _client, mut _writer) = (None, None);
        match option {
            "--database" => _client = Some(silent.accept()?),
            _ => {
                let mut open = std::fs::File::options();
                _writer = Some(open.write(true).open(&pipe)?);
            }
        }
        it.signal(Signal::SIGHUP);
        sleep(Duration::from_millis(200));
        assert_eq!(it.child.try_wait()?, None, "{option}: SIGHUP");
        let begun = Instant::now();
        it.signal(Signal::SIGTERM);
        assert_eq!(it.ended()?, Some(0), "{option}: {}", it.log());
        assert!(begun.elapsed() < Duration::from_secs(5), "{option}");
    }
    Ok(())
}

/// A request that isn't finished would hold it for minutes.
#[test]
fn stop_twice_ends_it_with_another_code() -> Tested {
    let mut it = new(&["--grace", "10m"])?;
    let to = it.url.trim_start_matches("http://").to_owned();
    let mut client = std::net::TcpStream::connect(to)?;
    client.write_all(
        b"POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
        content-length: 10\r\n\r\n",
    )?;
    sleep(Duration::from_millis(300));
    it.signal(Signal::SIGTERM);
    it.until_log("stopping");
    let begun = Instant::now();
    it.signal(Signal::SIGTERM);
    assert_eq!(it.ended()?, Some(130), "{}", it.log());
    assert!(begun.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[test]
fn again_settings_are_read_on_sighup() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("courier.toml");
    std::fs::write(&file, "")?;
    let path = file.to_str().expect("UTF-8").to_owned();
    let mut it = start(folder, &["--config", &path])?;
    it.works(&["status"])?;
    it.works(&["send", "a", "--id", "e1"])?;
    std::fs::write(&file, "[accept]\nmax_body = 1\n")?;
    it.signal(Signal::SIGHUP);
    it.until_log("changed=true");
    assert!(it.fails(&["send", "a", "--id", "e2"])?.contains("413"));
    std::fs::write(&file, "[accept]\nmax_body = 9\n\nrequests = x\n")?;
    it.signal(Signal::SIGHUP);
    it.until_log("line 4");
    assert!(it.fails(&["send", "a", "--id", "e2"])?.contains("413"));
    it.signal(Signal::SIGTERM);
    assert_eq!(it.ended()?, Some(0), "{}", it.log());
    Ok(())
}

/// By default, SIGHUP would kill it.
#[test]
fn edges_sighup_without_a_configuration() -> Tested {
    let mut it = new(&[])?;
    it.works(&["status"])?;
    it.signal(Signal::SIGHUP);
    it.until_log("there's no --config");
    it.works(&["status"])?;
    it.signal(Signal::SIGTERM);
    assert_eq!(it.ended()?, Some(0), "{}", it.log());
    Ok(())
}

/// Containers and CI jobs set an empty variable, and people make typos.
#[test]
fn edges_rust_log_that_is_empty_or_wrong() -> Tested {
    for (value, reported) in [("", false), ("courier=debgu", true)] {
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut child =
            command(folder.path(), &["--bind", "127.0.0.1:0"])
                .env("RUST_LOG", value)
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()?;
        let mut stdout = child.stdout.take().expect("it's piped");
        let mut it = Courier { child, url: String::new(), folder };
        assert!(stdout.read(&mut [0; 100])? > 0);
        it.signal(Signal::SIGTERM);
        it.until_log("stopping");
        assert_eq!(it.ended()?, Some(0), "{}", it.log());
        assert_eq!(it.log().contains("RUST_LOG isn't used"), reported);
    }
    Ok(())
}

/// The process has no file descriptors for all its clients.
#[test]
fn failure_too_many_open_files() -> Tested {
    let folder = tempfile::tempdir()?;
    let script = "ulimit -n 60; exec \"$0\" --bind 127.0.0.1:0";
    let mut child = Command::new("sh")
        .args(["-c", script, COURIER])
        .current_dir(folder.path())
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.path().join("log"))?)
        .spawn()?;
    let stdout = child.stdout.take().expect("it's piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.split([' ', ':']).nth(5).expect("a port");
    let url = format!("http://127.0.0.1:{port}");
    let it = Courier { child, url, folder };
    let to = it.url.trim_start_matches("http://").to_owned();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(std::net::TcpStream::connect(&to)?);
    }
    it.until_log("can't accept a connection");
    drop(clients);
    assert!(it.works(&["status"])?.contains("subscription"));
    Ok(())
}

/// The reader of the log (a collector, a terminal) has stopped.
#[test]
fn silence_of_the_reader_of_the_log() -> Tested {
    let folder = tempfile::tempdir()?;
    let mut child = command(folder.path(), &["--bind", "127.0.0.1:0"])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().expect("it's piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.split([' ', ':']).nth(5).expect("a port");
    let to = format!("127.0.0.1:{port}");
    let url = format!("http://{to}");
    let mut it = Courier { child, url, folder };
    let mut client = std::net::TcpStream::connect(to)?;
    client.set_read_timeout(Some(LONG))?;
    for _ in 0..1000 {
        let get = "GET /subscriptions HTTP/1.1\r\nhost: localhost";
        client.write_all(format!("{get}\r\n\r\n").as_bytes())?;
        assert!(client.read(&mut [0; 4096])? > 0);
    }
    it.signal(Signal::SIGTERM);
    assert_eq!(it.ended()?, Some(0));
    Ok(())
}

/// Nobody reads what it prints.
#[test]
fn owner_gone_stdout_is_closed() -> Tested {
    let folder = tempfile::tempdir()?;
    let script = "exec \"$0\" --bind 127.0.0.1:0 >&- 2>&-";
    let mut child = Command::new("sh")
        .args(["-c", script, COURIER])
        .current_dir(folder.path())
        .env_remove("DATABASE_URL")
        .spawn()?;
    sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait()?, None);
    let id = i32::try_from(child.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGTERM)?;
    assert_eq!(child.wait()?.code(), Some(0));
    Ok(())
}
