//! `cargo book serve`: what it serves, to whom, and what it does when something is saved that is broken.
//!
//! Nothing here sleeps for a time that should be enough: everything is asked for again until it is so,
//! with a deadline that only a failure reaches.

use scratch::{HELLO, PAGE, Scratch, link};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
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
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(AGAIN);
    }
}

/// What a process has printed so far.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<String>>);

impl Printed {
    fn follow(pipe: impl Read + Send + 'static) -> Self {
        let printed = Self::default();
        let text = Arc::clone(&printed.0);
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = text.lock().expect("no reader panics");
                text.push_str(&line);
                text.push('\n');
            }
        });
        printed
    }

    fn text(&self) -> String {
        self.0.lock().expect("no reader panics").clone()
    }
}

/// A `cargo book serve`, which is stopped when this is dropped.
struct Server {
    process: Child,
    stdout: Printed,
    stderr: Printed,
}

impl Server {
    /// Starts it, on any port.
    fn start(book: &Scratch) -> Self {
        Self::start_at(book, 0)
    }

    fn start_at(book: &Scratch, port: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_book"));
        command
            .args(["serve", "--port", &port.to_string()])
            .current_dir(book.root())
            // The scratch books' packages share a name: each builds into its own folder.
            .env("CARGO_TARGET_DIR", "target")
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, to be stopped with what it has started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn().expect("the tool starts");
        let stdout = Printed::follow(process.stdout.take().expect("a pipe"));
        let stderr = Printed::follow(process.stderr.take().expect("a pipe"));
        Self {
            process,
            stdout,
            stderr,
        }
    }

    /// Where it says that the book is.
    fn address(&self) -> SocketAddr {
        wait_for("the address is printed", || {
            let text = self.stdout.text();
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
            Some(self.stderr.text()).filter(|told| told.replace('\\', "/").contains(text))
        })
    }

    /// Waits until it ends by itself.
    fn wait_for_end(&mut self) -> ExitStatus {
        wait_for("it ends", || {
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
        // Where it has ended already, there is nothing to stop.
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
            let read = self.0.read_line(&mut line).expect("it goes on");
            assert!(read > 0, "the connection ended before `{event}`");
        }
    }
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

/// Saves as some editors do: a new file takes the old one's place, whole.
fn save(book: &Scratch, file: &str, text: impl AsRef<[u8]>) {
    book.write("target/half-written", text);
    fs::rename(book.path("target/half-written"), book.path(file)).expect("a new name");
}

const LISTING: &str = "listings/demo/src/bin/hello.rs";

// --- What is served --------------------------------------------------------------------------------

#[test]
fn the_site_is_served_and_what_is_not_there_is_said_so() {
    let book = Scratch::sound();
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
    let style = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|href| href.ends_with(".css"));
    let answer = server.get(&format!("/{}", style.expect("a style sheet")));
    assert_eq!(
        (
            answer.status,
            answer.head.contains("content-type: text/css")
        ),
        (200, true)
    );
    for path in ["/nowhere.html", "/css/nowhere.css", "/page.html/x"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_has(&answer.body, "Document not found (404)");
    }
    let posted = request(
        server.address(),
        "POST /page.html HTTP/1.0\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(posted.status, 405);
}

/// Beside the site lies a file whose text no answer may hold.
const SECRET: &str = "nobody may read this";

#[test]
fn nothing_outside_the_site_is_served() {
    let book = Scratch::sound();
    book.write("secret.txt", SECRET);
    let server = Server::start(&book);
    assert_eq!(server.get("/page.html").status, 200);
    let root = book.root().display().to_string().replace('\\', "/");
    let mut paths: Vec<String> = [
        "/../secret.txt",
        "/page.html/../../secret.txt",
        "/css/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/.%00./secret.txt",
        "/../book/../secret.txt",
        "//secret.txt",
        "//../secret.txt",
        "http://localhost/../secret.txt",
    ]
    .map(str::to_owned)
    .into();
    paths.extend([
        format!("/{root}/secret.txt"),
        format!("{root}/secret.txt"),
        format!("//{root}/secret.txt"),
    ]);
    for path in paths {
        let answer = server.get(&path);
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.head
        );
        assert!(!answer.body.contains(SECRET), "{path}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "Windows does not let everyone make symbolic links")]
fn a_symbolic_link_out_of_the_site_is_not_followed() {
    let book = Scratch::sound();
    book.write("secret.txt", SECRET);
    let server = Server::start(&book);
    assert_eq!(server.get("/page.html").status, 200);
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
    let mut others: Vec<std::net::IpAddr> = vec![Ipv6Addr::LOCALHOST.into()];
    // All of 127/8 is this machine on Linux: who listens everywhere answers there too.
    if cfg!(target_os = "linux") {
        others.push(Ipv4Addr::new(127, 0, 0, 2).into());
    }
    // This machine's address in its network, where it has one. (Nothing is sent.)
    let outward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    others.extend(
        outward
            .ok()
            .map(|address| address.ip())
            .filter(|ip| !ip.is_loopback()),
    );
    for ip in others {
        let other = SocketAddr::new(ip, address.port());
        assert!(
            TcpStream::connect_timeout(&other, Duration::from_secs(5)).is_err(),
            "it listens on {other}"
        );
    }
}

#[test]
fn a_port_in_use_is_told_at_once_with_what_to_do() {
    let book = Scratch::sound();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let mut second = Server::start_at(&book, port);
    assert!(!second.wait_for_end().success());
    let told = second.wait_for_error("--port");
    assert_eq!(
        told,
        format!(
            "error: port {port} is in use, perhaps by another `cargo book serve`; \
             end that one, or take another port: cargo book serve --port {}\n",
            port.saturating_add(1)
        )
    );
    assert_eq!(
        second.stdout.text(),
        "",
        "nothing is built for a port that is not to be had"
    );
}

#[test]
fn two_servers_do_not_share_a_port() {
    let book = Scratch::sound();
    let first = Server::start(&book);
    let port = first.address().port();
    let mut second = Server::start_at(&book, port);
    assert!(!second.wait_for_end().success());
    second.wait_for_error(&format!("port {port} is in use"));
    assert_eq!(first.get("/page.html").status, 200);
}

// --- Saving ----------------------------------------------------------------------------------------

#[test]
fn a_saved_page_is_shown_and_the_browser_reloads() {
    let book = Scratch::sound();
    let server = Server::start(&book);
    let mut reloads = Reloads::listen(&server);
    save(
        &book,
        "src/page.md",
        PAGE.replace("A greeting", "One more greeting"),
    );
    reloads.wait_for("event: reload");
    assert_has(&server.get("/page.html").body, "One more greeting:");
    // Other editors write into the file that is there.
    book.write(
        "src/page.md",
        PAGE.replace("A greeting", "The last greeting"),
    );
    server.wait_for_page("/page.html", "The last greeting:");
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [New](new/page.md)\n",
    );
    book.write("src/new/page.md", "# New\n");
    server.wait_for_page("/new/page.html", "New</a></h1>");
    assert_has(&server.stdout.text(), "src/page.md changed\n");
    assert_has(&server.stdout.text(), "  shown after ");
}

#[test]
fn a_saved_listing_is_run_and_its_output_shown() {
    let book = Scratch::sound();
    let server = Server::start(&book);
    assert_has(&server.get("/page.html").body, "hello\n</code>");
    save(
        &book,
        LISTING,
        HELLO.replace("\"hello\"", "\"good morning\""),
    );
    let page = server.wait_for_page("/page.html", "good morning\n</code>");
    assert_has(&page, "println!(\"good morning\");");
    assert_has(
        &page,
        "<code>cargo book bless demo/hello</code> accepts the new output.",
    );
    assert_eq!(
        book.read("listings/demo/src/bin/hello.out"),
        "hello\n",
        "only blessing writes"
    );
}

#[test]
fn a_broken_page_is_told_and_the_last_good_book_stays() {
    let book = Scratch::sound();
    let server = Server::start(&book);
    let good = server.get("/page.html").body;
    save(
        &book,
        "src/page.md",
        format!("{PAGE}\n{{{{#listing demo/helo}}}}\n"),
    );
    let told = server.wait_for_error("the last good book stays up");
    assert_eq!(
        told,
        "error: the book has problems:\n\
         src/page.md:8: there is no listing `demo/helo` (listings/demo/src/bin/helo.rs); did you mean `demo/hello`?\n  \
         the last good book stays up\n"
    );
    assert_eq!(server.get("/page.html").body, good);
    save(
        &book,
        "src/page.md",
        PAGE.replace("A greeting", "A mended greeting"),
    );
    server.wait_for_page("/page.html", "A mended greeting:");
}

#[test]
fn a_broken_listing_is_told_and_the_last_good_book_stays() {
    let book = Scratch::sound();
    let server = Server::start(&book);
    let good = server.get("/page.html").body;
    save(&book, LISTING, HELLO.replace("println!", "printn!"));
    let told = server.wait_for_error("the last good book stays up");
    assert_has(&told, "cannot find macro `printn`");
    assert_has(
        &told.replace('\\', "/"),
        "listings/demo/src/bin/hello.rs:4:5",
    );
    assert_eq!(server.get("/page.html").body, good);

    // Nor does saving a page show the listing that is still broken.
    save(
        &book,
        "src/page.md",
        PAGE.replace("A greeting", "A new greeting"),
    );
    wait_for("the listing is told once more", || {
        let told = server.stderr.text();
        (told.matches("the last good book stays up").count() == 2).then_some(())
    });
    assert_eq!(server.get("/page.html").body, good);

    save(
        &book,
        LISTING,
        HELLO.replace("println!(\"hello\");", "loop { println!(\"hello\"); }"),
    );
    server.wait_for_error(
        "listings/demo/src/bin/hello.rs: the listing printed more than 65536 bytes and was stopped",
    );
    assert_eq!(server.get("/page.html").body, good);

    save(&book, LISTING, HELLO.replace("\"hello\"", "\"mended\""));
    let page = server.wait_for_page("/page.html", "mended\n</code>");
    assert_has(&page, "A new greeting:");
}

#[test]
fn a_listing_that_is_broken_and_goes_holds_nothing_up() {
    let book = Scratch::sound();
    book.listing("second", "println!(\"second\");", "second\n");
    let server = Server::start(&book);
    assert_eq!(server.get("/page.html").status, 200);
    book.listing("extra", "printn!();", "");
    server.wait_for_error("cannot find macro `printn`");
    book.remove("listings/demo/src/bin/extra.rs");
    book.remove("listings/demo/src/bin/extra.out");
    save(
        &book,
        "src/page.md",
        PAGE.replace("A greeting", "A new greeting"),
    );
    server.wait_for_page("/page.html", "A new greeting:");
}

#[test]
fn a_book_that_is_broken_from_the_start_is_served_once_it_is_mended() {
    let book = Scratch::sound();
    book.write("src/page.md", b"# Page\n\n\xff\n");
    let server = Server::start(&book);
    server.wait_for_error("src/page.md:3: is not UTF-8 from here on; save the file as UTF-8");
    assert_eq!(server.get("/page.html").status, 404);
    assert_has(&server.stdout.text(), "It has problems (above)");
    save(&book, "src/page.md", PAGE);
    server.wait_for_page("/page.html", "A greeting:");
}

// --- Ending ----------------------------------------------------------------------------------------

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_even_with_a_page_open() {
    let book = Scratch::sound();
    let mut server = Server::start(&book);
    let _open_page = Reloads::listen(&server);
    let pid = server.process.id().to_string();
    let told = Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("kill starts");
    assert!(told.success());
    let asked = Instant::now();
    assert!(server.wait_for_end().success());
    assert!(
        asked.elapsed() < DEADLINE / 4,
        "it took {:?}",
        asked.elapsed()
    );
    assert_eq!(server.stderr.text(), "");
    assert!(book.path("book/index.html").is_file());
}
