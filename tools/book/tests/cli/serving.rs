//! `cargo book serve`: what it serves, to whom, and what it does when a save breaks something.
//!
//! Nothing here sleeps for a time that should be enough: everything is asked again until it is so, with a
//! deadline that only a failure reaches.

use crate::tool;
use scratch::{PAGE, Scratch, assert_has, cases, link, missing_line, write_section};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a slow machine may take for anything here.
const DEADLINE: Duration = Duration::from_secs(120);

/// How often is asked whether something is so.
const AGAIN: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
#[track_caller]
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        thread::sleep(AGAIN);
    }
}

/// A `cargo book serve`, which is stopped when this is dropped.
struct Server {
    process: Child,
    /// The files with what it has printed so far.
    printed: [PathBuf; 2],
}

impl Server {
    /// Starts it, on any port.
    fn start(book: &Scratch) -> Self {
        Self::start_at(book, 0)
    }

    fn start_at(book: &Scratch, port: u16) -> Self {
        let printed = ["stdout", "stderr"].map(|name| book.path(&format!("target/{name}")));
        fs::create_dir_all(book.path("target")).expect("a folder");
        let [stdout, stderr] = printed
            .each_ref()
            .map(|file| File::create(file).expect("a file"));
        let mut command = tool(book.root());
        command
            .args(["serve", "--port", &port.to_string()])
            .stdout(stdout)
            .stderr(stderr);
        // A group of its own, so that it is stopped together with the processes that it started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let process = command.spawn().expect("the tool starts");
        Self { process, printed }
    }

    fn stdout(&self) -> String {
        fs::read_to_string(&self.printed[0]).expect("a file")
    }

    fn stderr(&self) -> String {
        fs::read_to_string(&self.printed[1]).expect("a file")
    }

    /// Where it says that the book is.
    fn address(&self) -> SocketAddr {
        wait_for("the address is printed", || {
            let text = self.stdout();
            let (_, rest) = text.split_once("The book is at http://")?;
            rest.split('/').next()?.parse().ok()
        })
    }

    /// Its answer to a request for a path, sent as it is.
    fn get(&self, path: &str) -> Answer {
        request(
            self.address(),
            &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"),
        )
    }

    /// Waits until a page holds this text.
    #[track_caller]
    fn wait_for_page(&self, path: &str, text: &str) -> String {
        wait_for(&format!("{path} holds `{text}`"), || {
            Some(self.get(path).body).filter(|body| body.contains(text))
        })
    }

    /// Waits until it has printed this on standard error.
    #[track_caller]
    fn wait_for_error(&self, text: &str) -> String {
        wait_for(&format!("`{text}` on standard error"), || {
            Some(self.stderr()).filter(|errors| errors.replace('\\', "/").contains(text))
        })
    }

    /// Waits until it exits by itself.
    fn wait_for_end(&mut self) -> ExitStatus {
        wait_for("it exits", || {
            self.process.try_wait().expect("it can be asked")
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        #[cfg(unix)]
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.process.id())])
            .stderr(Stdio::null())
            .status();
        // If it has exited already, there is nothing to stop.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn request(address: SocketAddr, text: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it answers");
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// The page's connection that waits for a reload.
struct Reloads(BufReader<TcpStream>);

impl Reloads {
    fn listen(server: &Server) -> Self {
        let page = server.get("/page.html").body;
        let (_, rest) = page
            .split_once("data-event-stream=\"")
            .expect("the page listens for reloads");
        let path = rest.split('"').next().expect("a path");
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
        let mut reloads = Self(BufReader::new(stream));
        reloads.wait_for("event: init");
        reloads
    }

    fn wait_for(&mut self, event: &str) {
        let mut line = String::new();
        while line.trim() != event {
            line.clear();
            let read = self.0.read_line(&mut line).expect("it stays open");
            assert!(read > 0, "the connection was closed before `{event}`");
        }
    }
}

/// Saves as some editors do: a new file takes the old one's place, whole.
fn save(book: &Scratch, file: &str, text: impl AsRef<[u8]>) {
    book.write("target/half-written", text);
    fs::rename(book.path("target/half-written"), book.path(file)).expect("a new name");
}

/// Saves the page with another greeting.
fn save_page(book: &Scratch, greeting: &str) {
    save(book, "src/page.md", PAGE.replace("A greeting", greeting));
}

// --- What is served --------------------------------------------------------------------------------

/// Beside the site is a file whose text no answer may contain.
const SECRET: &str = "nobody may read this";

#[test]
fn the_site_is_served_and_nothing_else() {
    let book = Scratch::sound();
    book.write("secret.txt", SECRET);
    let server = Server::start(&book);
    for path in [
        "/",
        "/index.html",
        "/page.html",
        "/page.html?a=b",
        "/%70age.html",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_has(&answer.body, "A greeting:");
        assert_has(&answer.head, "content-type: text/html");
        assert_has(&answer.head, "cache-control: no-store");
    }
    let page = server.get("/page.html").body;
    let mut hrefs = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next());
    let style = hrefs.find(|href| href.ends_with(".css"));
    let answer = server.get(&format!("/{}", style.expect("a style sheet")));
    assert_eq!(answer.status, 200);
    assert_has(&answer.head, "content-type: text/css");
    for path in ["/nowhere.html", "/css/nowhere.css", "/page.html/x"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_has(&answer.body, "Document not found (404)");
    }
    let post = "POST /page.html HTTP/1.0\r\nHost: localhost\r\n\r\n";
    assert_eq!(request(server.address(), post).status, 405);

    let root = book.root().display().to_string().replace('\\', "/");
    for path in include_str!("attacks.txt").lines() {
        let path = &path.replace("ROOT", &root);
        let answer = server.get(path);
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.head
        );
        assert!(!answer.body.contains(SECRET), "{path}");
    }
    if cfg!(windows) {
        // Windows does not let everyone make symbolic links.
        return;
    }
    link(&book.path("secret.txt"), &book.path("book/link.txt"));
    link(book.root(), &book.path("book/up"));
    link(&book.path("book/page.html"), &book.path("book/inside.html"));
    for path in ["/link.txt", "/up/secret.txt", "/up/book/../secret.txt"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains(SECRET), "{path}");
    }
    assert_eq!(server.get("/inside.html").status, 200);
}

#[test]
fn only_this_machine_is_served() {
    let book = Scratch::sound();
    let server = Server::start(&book);
    let address = server.address();
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(server.get("/page.html").status, 200);
    let mut others: Vec<IpAddr> = vec![Ipv6Addr::LOCALHOST.into()];
    // All of 127/8 is this machine on Linux: a server that listens everywhere answers there too.
    if cfg!(target_os = "linux") {
        others.push(Ipv4Addr::new(127, 0, 0, 2).into());
    }
    // This machine's address in its network, if it has one. (Nothing is sent.)
    let outward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    });
    others.extend(outward.ok().filter(|ip| !ip.is_loopback()));
    for ip in others {
        let other = SocketAddr::new(ip, address.port());
        let connected = TcpStream::connect_timeout(&other, Duration::from_secs(5));
        assert!(connected.is_err(), "it listens on {other}");
    }
}

#[test]
fn a_port_in_use_is_reported_immediately_with_what_to_do() {
    let book = Scratch::sound();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let mut second = Server::start_at(&book, port);
    assert!(!second.wait_for_end().success());
    assert_eq!(
        second.wait_for_error("--port"),
        format!(
            "error: port {port} is in use, perhaps by another `cargo book serve`; \
             stop that one, or use another port: cargo book serve --port {}\n",
            port.saturating_add(1)
        )
    );
    assert_eq!(second.stdout(), "", "nothing was built");
}

// --- Starting --------------------------------------------------------------------------------------

#[test]
fn the_last_site_is_served_immediately_and_rebuilt_only_if_files_changed() {
    let book = Scratch::sound();
    let first = Server::start(&book);
    assert_eq!(first.get("/page.html").status, 200);
    // The EPUB and the Markdown are made when nothing was saved for a while.
    wait_for("the site is complete", || {
        book.path("target/book/built-from").is_file().then_some(())
    });
    assert!(book.path("book/scratch.epub").is_file() && book.path("book/page.md").is_file());
    drop(first);
    let built = || {
        fs::metadata(book.path("book/page.html"))
            .and_then(|file| file.modified())
            .ok()
    };
    let before = built();
    let second = Server::start(&book);
    assert_has(&second.get("/page.html").body, "A greeting:");
    assert!(!second.stdout().contains("uilding"), "{}", second.stdout());
    assert_eq!(built(), before, "nothing was rebuilt");
    drop(second);
    save_page(&book, "Changed meanwhile");
    let third = Server::start(&book);
    third.wait_for_page("/page.html", "Changed meanwhile:");
    assert_has(&third.stdout(), "it is being rebuilt in the background");
}

// --- Saving ----------------------------------------------------------------------------------------

/// Sections of `serving.txt`: `save FILE`, and what must then be on the page, or on standard output or error, soon.
#[test]
fn what_is_saved_is_shown_or_reported() {
    for case in cases(include_str!("serving.txt")) {
        let book = Scratch::sound();
        let mut sections = case.sections().peekable();
        while let Some((name, text)) = sections.next_if(|(name, _)| *name != "serve") {
            write_section(&book, name, text);
        }
        let server = Server::start(&book);
        let mut good = String::new();
        let mut reloads = None;
        for (name, text) in sections {
            let what = format!("{}: {name}: {text}", case.name);
            match name.split_once(' ').unwrap_or((name, "")) {
                ("serve", _) => drop(server.address()),
                ("save", file) => save(&book, file, text),
                ("page", path) => wait_for(&what, || {
                    good = server.get(path).body;
                    missing_line(&good, text).is_none().then_some(())
                }),
                ("same", path) => assert_eq!(server.get(path).body, good, "{what}"),
                ("status", path) => assert_eq!(format!("{}\n", server.get(path).status), text),
                ("stderr", _) => wait_for(&what, || {
                    let errors = server.stderr().replace('\\', "/");
                    missing_line(&errors, text).is_none().then_some(())
                }),
                ("stdout", _) => wait_for(&what, || {
                    missing_line(&server.stdout(), text).is_none().then_some(())
                }),
                ("listen", _) => reloads = Some(Reloads::listen(&server)),
                ("reload", _) => {
                    let reloads: Option<&mut Reloads> = reloads.as_mut();
                    reloads.expect("it listens").wait_for("event: reload");
                }
                ("cat", file) => assert_eq!(book.read(file), text, "{what}"),
                _ => assert!(write_section(&book, name, text), "{what}"),
            }
        }
    }
}

// --- Stopping --------------------------------------------------------------------------------------

#[cfg(unix)]
#[test]
fn ctrl_c_stops_it_even_if_a_page_is_open() {
    let book = Scratch::sound();
    let mut server = Server::start(&book);
    let _open_page = Reloads::listen(&server);
    let pid = server.process.id().to_string();
    let mut kill = Command::new("kill");
    let sent = kill.args(["-INT", &pid]).status().expect("kill starts");
    assert!(sent.success());
    let asked = Instant::now();
    assert!(server.wait_for_end().success());
    assert!(
        asked.elapsed() < DEADLINE / 4,
        "it took {:?}",
        asked.elapsed()
    );
    assert!(!server.stderr().contains("error"), "{}", server.stderr());
    assert!(book.path("book/index.html").is_file());
}
