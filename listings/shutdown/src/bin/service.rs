//! A service whose accepted orders are done or still in its journal.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinError,
    time::{Duration, sleep, timeout},
};
use tokio_util::{
    bytes::BytesMut,
    codec::{Decoder, FramedRead, LinesCodec},
    sync::CancellationToken,
    task::{JoinMap, TaskTracker},
};

// ANCHOR: journal
/// Records which orders were accepted and done. A record starts with a
/// newline and ends with a semicolon, so a torn record is recognized.
struct Journal {
    file: Box<dyn Write + Send>,
    accepted: BTreeSet<u64>,
}

impl Journal {
    /// Records that an order is accepted. Returns whether it's new,
    /// because a client that got no answer sends its order again.
    fn accept(&mut self, order: u64) -> io::Result<bool> {
        if self.accepted.contains(&order) {
            return Ok(false);
        }
        self.write("accepted", order)?;
        Ok(self.accepted.insert(order))
    }

    fn write(&mut self, what: &str, order: u64) -> io::Result<()> {
        let record = format!("\n{what} {order};");
        self.file.write_all(record.as_bytes())
    }
}
// ANCHOR_END: journal

// ANCHOR: read
/// Returns which orders were accepted, and which of them aren't done.
fn read(journal: &str) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut accepted, mut left) = (BTreeSet::new(), BTreeSet::new());
    for line in journal.lines().filter(|line| !line.is_empty()) {
        let record = line.strip_suffix(';');
        let words = record.and_then(|record| record.split_once(' '));
        match words.map(|(what, order)| (what, order.parse())) {
            Some(("accepted", Ok(order))) => {
                if accepted.insert(order) {
                    left.insert(order);
                }
            }
            Some(("done", Ok(order))) => {
                left.remove(&order);
            }
            _ => eprintln!("not a whole record: {line:?}"),
        }
    }
    (accepted, left)
}
// ANCHOR_END: read

/// All sessions and the work write to the same journal.
type Shared = Arc<Mutex<Journal>>;

fn lock(journal: &Shared) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

// ANCHOR: lines
/// Lines of at most 64 bytes. An incomplete last line is an error.
struct WholeLines(LinesCodec);

impl Decoder for WholeLines {
    type Item = String;
    type Error = io::Error;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> io::Result<Option<String>> {
        self.0.decode(bytes).map_err(io::Error::other)
    }
}

/// Answers with a line; fails if the client doesn't read.
async fn say(
    write: &mut (impl AsyncWrite + Unpin),
    line: &str,
) -> io::Result<()> {
    let line = format!("{line}\n");
    timeout(IDLE, write.write_all(line.as_bytes())).await?
}

/// How long a client may be silent before it's disconnected.
const IDLE: Duration = Duration::from_secs(60);
// ANCHOR_END: lines

// ANCHOR: listen
/// Where connections come from: a socket, or a test.
trait Listen {
    type Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    async fn accept(&mut self) -> io::Result<Self::Connection>;
}
// ANCHOR_END: listen

impl Listen for TcpListener {
    type Connection = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

// ANCHOR: stop
/// How long the service may take to finish what it has accepted.
const GRACE: Duration = Duration::from_millis(200);
/// How long its tasks may take to end after that.
const LAST: Duration = Duration::from_millis(100);

/// Serves until the stop, or until its work ends. After that, it takes
/// at most `GRACE` plus `LAST`. If dropped, it cuts its tasks off.
async fn serve(
    listener: impl Listen,
    journal: Shared,
    left: BTreeSet<u64>,
    stop: CancellationToken,
) -> io::Result<()> {
    let (tasks, hurry) = (TaskTracker::new(), CancellationToken::new());
    let _cut = hurry.clone().drop_guard();
    let (queue, orders) = mpsc::channel(4);
    let work = work(orders, journal.clone(), hurry.clone());
    let stops = stop.clone().drop_guard();
    let working = tasks.spawn(async move {
        // If the work panics, the service stops.
        let _stops = stops;
        work.await;
    });
    tasks.spawn(again(left, queue.clone(), stop.clone()));
    let start = |connection, place| {
        let (queue, journal) = (queue.clone(), journal.clone());
        let session = session(connection, queue, journal, stop.clone());
        tasks.spawn(reported(session, hurry.clone(), place));
    };
    accept(listener, &stop, start).await;
    // The sessions end first, then the queue, then the work.
    drop(queue);
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        hurry.cancel();
        timeout(LAST, tasks.wait()).await?;
    }
    working.await.map_err(io::Error::other)
}
// ANCHOR_END: stop

// ANCHOR: accept
/// The most clients connected at a time; more wait to be accepted.
const SESSIONS: usize = 100;

/// Starts a session for each connection until the stop.
async fn accept<L: Listen>(
    mut listener: L,
    stop: &CancellationToken,
    start: impl Fn(L::Connection, OwnedSemaphorePermit),
) {
    let places = Arc::new(Semaphore::new(SESSIONS));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        match stop.run_until_cancelled(next).await {
            Some((Ok(place), Ok(connection))) => {
                start(connection, place);
            }
            Some((Ok(_), Err(error))) if is_of_one_client(&error) => {}
            Some((Ok(_), Err(error))) => {
                eprintln!("cannot accept: {error}");
                // It may fail again, as with too many open files.
                let pause = sleep(Duration::from_millis(100));
                stop.run_until_cancelled(pause).await;
            }
            Some((Err(_), _)) | None => return,
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}
// ANCHOR_END: accept

// ANCHOR: reported
/// Runs a session until it ends or time is up. Logs its error.
async fn reported(
    session: impl Future<Output = io::Result<()>>,
    hurry: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let ended = hurry.run_until_cancelled(session).await;
    if let Some(Err(error)) = ended {
        eprintln!("a session failed: {error}");
    }
}
// ANCHOR_END: reported

// ANCHOR: session
/// Accepts orders, one per line, until the stop, or until the client
/// disconnects, is silent for too long, or breaks the protocol.
async fn session(
    connection: impl AsyncRead + AsyncWrite,
    queue: mpsc::Sender<u64>,
    journal: Shared,
    stop: CancellationToken,
) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(connection);
    let codec = WholeLines(LinesCodec::new_with_max_length(64));
    let mut lines = FramedRead::new(read, codec);
    loop {
        // The line comes first: a silent client must not hold a slot.
        let line = timeout(IDLE, lines.next());
        let line = match stop.run_until_cancelled(line).await {
            Some(line) => line?,
            None => break,
        };
        let Some(line) = line.transpose()? else { return Ok(()) };
        let Ok(order) = line.parse() else {
            say(&mut write, "not a number").await?;
            continue;
        };
        let place = stop.run_until_cancelled(queue.reserve());
        let Some(Ok(place)) = place.await else { break };
        // No `.await` up to `send`, so nothing is canceled in between.
        if lock(&journal).accept(order)? {
            place.send(order);
        }
        say(&mut write, &format!("accepted {order}")).await?;
    }
    // An order without an answer wasn't accepted.
    say(&mut write, "stopping").await
}
// ANCHOR_END: session

// ANCHOR: work
/// Processes the queue, three orders at a time, until the queue is
/// closed or time is up.
async fn work(
    mut queue: mpsc::Receiver<u64>,
    journal: Shared,
    hurry: CancellationToken,
) {
    let mut running = JoinMap::new();
    loop {
        tokio::select! {
            biased;
            () = hurry.cancelled() => break,
            Some((order, done)) = running.join_next() => {
                report(order, done);
            }
            next = queue.recv(), if running.len() < 3 => match next {
                Some(order) => {
                    running.spawn(order, ship(order, journal.clone()));
                }
                None => break,
            },
        }
    }
    while let Some(Some((order, done))) =
        hurry.run_until_cancelled(running.join_next()).await
    {
        report(order, done);
    }
    // Orders that are cut off here, or still queued, aren't recorded
    // as done: the next start does them.
    running.shutdown().await;
}

/// Does the work, then records that it's done. If it's canceled before
/// that, it has had no effect.
async fn ship(order: u64, journal: Shared) -> io::Result<()> {
    timeout(Duration::from_secs(5), pack(order)).await?;
    lock(&journal).write("done", order)
}
// ANCHOR_END: work

// ANCHOR: again
fn report(order: u64, done: Result<io::Result<()>, JoinError>) {
    if let Err(error) = done.map_err(io::Error::other).flatten() {
        eprintln!("order {order} is not done: {error}");
    }
}

/// Queues the orders that the last run left. Orders that aren't queued
/// stay in the journal.
async fn again(
    left: BTreeSet<u64>,
    queue: mpsc::Sender<u64>,
    stop: CancellationToken,
) {
    for order in left {
        let queued = stop.run_until_cancelled(queue.send(order));
        let Some(Ok(())) = queued.await else { return };
    }
}
// ANCHOR_END: again

async fn pack(order: u64) {
    #[cfg(test)]
    tests::trouble(order).await;
    sleep(Duration::from_millis(20 + order * 37 % 160)).await;
}

/// The service as a process: its journal's file, and signals.
mod process {
    use std::{fs::File, io::Read, path::Path};

    use super::*;

    // ANCHOR: main
    /// Serves until the stop, on a port that it prints.
    pub async fn run(
        file: &Path,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let (journal, left) = open(file)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        serve(listener, journal, left, stop).await
    }

    /// Opens the journal, unless another process has locked it, and
    /// returns the orders that are left.
    fn open(file: &Path) -> io::Result<(Shared, BTreeSet<u64>)> {
        let mut file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(file)?;
        file.try_lock()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let (accepted, left) = super::read(&text);
        let journal = Journal { file: Box::new(file), accepted };
        Ok((Arc::new(Mutex::new(journal)), left))
    }

    /// The process, which ends even if a task blocks its thread.
    pub fn main(file: &Path) -> io::Result<()> {
        let stop = stop_on_signal()?;
        let runtime = tokio::runtime::Runtime::new()?;
        let ended = runtime.block_on(run(file, stop));
        runtime.shutdown_timeout(LAST);
        ended
    }
    // ANCHOR_END: main

    fn stop_on_signal() -> io::Result<CancellationToken> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let mut signals = {
            let _in_runtime = runtime.enter();
            Signals::listen()?
        };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        std::thread::Builder::new().spawn(move || {
            runtime.block_on(async {
                signals.next().await;
                stopping.cancel();
                // Only Ctrl-C, because a supervisor may repeat SIGTERM.
                if signals.0[0].recv().await.is_some() {
                    std::process::exit(130)
                }
            })
        })?;
        Ok(stop)
    }

    #[cfg(unix)]
    struct Signals([tokio::signal::unix::Signal; 2]);

    #[cfg(unix)]
    impl Signals {
        fn listen() -> io::Result<Self> {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt())?;
            Ok(Self([interrupt, signal(SignalKind::terminate())?]))
        }

        async fn next(&mut self) {
            let [interrupt, terminate] = &mut self.0;
            tokio::select! {
                Some(()) = interrupt.recv() => {}
                Some(()) = terminate.recv() => {}
                else => std::future::pending().await,
            }
        }
    }

    #[cfg(windows)]
    struct Signals([tokio::signal::windows::CtrlC; 1]);

    #[cfg(windows)]
    impl Signals {
        fn listen() -> io::Result<Self> {
            tokio::signal::windows::ctrl_c().map(|it| Self([it]))
        }

        async fn next(&mut self) {
            if self.0[0].recv().await.is_none() {
                std::future::pending().await
            }
        }
    }
}

#[cfg(unix)]
mod child {
    use std::{fs, path::Path};

    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        process::{Child, Command},
    };

    use super::*;

    /// This program as a child, and where it listens.
    pub async fn start(file: &Path) -> io::Result<(Child, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(AS_CHILD)
            .env("JOURNAL", file)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take();
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listening on ")
            {
                let address = address.to_owned();
                // Its last lines need a reader.
                child.stdout = Some(lines.into_inner().into_inner());
                return Ok((child, address));
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    const AS_CHILD: &[&str] = if cfg!(test) {
        &["tests::child", "--exact", "--nocapture"]
    } else {
        &[]
    };

    pub async fn kill(id: u32, signal: &str) -> io::Result<()> {
        let command = format!("kill -s {signal} {id}");
        let sent = Command::new("sh").args(["-c", &command]).status();
        let is_sent = sent.await?.success();
        is_sent.then_some(()).ok_or(io::ErrorKind::Other.into())
    }

    pub async fn stop(mut child: Child) -> io::Result<()> {
        let id = child.id().ok_or(io::ErrorKind::NotFound)?;
        kill(id, "TERM").await?;
        let is_success = child.wait().await?.success();
        is_success.then_some(()).ok_or(io::ErrorKind::Other.into())
    }

    async fn order(address: String, orders: u64) -> io::Result<()> {
        let client = TcpStream::connect(address).await?;
        let mut lines = BufReader::new(client).lines();
        for order in 0..orders {
            let line = format!("{order}\n").into_bytes();
            lines.get_mut().write_all(&line).await?;
            lines.next_line().await?;
        }
        Ok(())
    }

    /// Stops the service while it works, again and again, until nothing
    /// is left. Returns its journal.
    pub async fn demonstrate() -> io::Result<String> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("journal");
        let (child, address) = start(&file).await?;
        order(address, 20).await?;
        stop(child).await?;
        while !read(&fs::read_to_string(&file)?).1.is_empty() {
            let (child, _) = start(&file).await?;
            stop(child).await?;
        }
        fs::read_to_string(&file)
    }
}

#[cfg(unix)]
#[tokio::main]
async fn demonstrate() -> io::Result<()> {
    let journal = child::demonstrate().await?;
    let (accepted, left) = read(&journal);
    let done = journal.matches("done ").count();
    println!("accepted: {}, done: {done}", accepted.len());
    println!("left: {}", left.len());
    Ok(())
}

#[cfg(windows)]
fn demonstrate() -> io::Result<()> {
    Err(io::Error::other("set JOURNAL to a file"))
}

fn main() -> io::Result<()> {
    match std::env::var_os("JOURNAL") {
        Some(file) => process::main(file.as_ref()),
        None => demonstrate(),
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use tokio::{
        io::{AsyncBufReadExt, BufReader, DuplexStream, Lines},
        task::{JoinHandle, JoinSet},
        time::Instant,
    };

    use super::*;

    /// Sends the signal again and again, until the process ends.
    #[cfg(unix)]
    async fn repeat(
        mut child: tokio::process::Child,
        signal: &str,
    ) -> io::Result<std::process::ExitStatus> {
        let id = child.id().ok_or(io::ErrorKind::NotFound)?;
        loop {
            child::kill(id, signal).await?;
            let pause = Duration::from_millis(10);
            if let Ok(ended) = timeout(pause, child.wait()).await {
                return ended;
            }
        }
    }

    const PANICS: u64 = 1 << 62;
    const HANGS: u64 = PANICS + 1;

    /// Two orders that can't be packed.
    pub async fn trouble(order: u64) {
        match order {
            PANICS => std::panic::resume_unwind(Box::new("broken")),
            HANGS => std::future::pending().await,
            _ => {}
        }
    }

    impl Listen for mpsc::Receiver<DuplexStream> {
        type Connection = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            self.recv().await.ok_or(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// A journal's file in memory, with room for so many bytes.
    #[derive(Clone)]
    struct File {
        bytes: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut file = self.bytes.lock().expect("no panic");
            let room = self.room.saturating_sub(file.len());
            match bytes.len().min(room) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                room => {
                    file.extend(&bytes[..room]);
                    Ok(room)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl File {
        fn new() -> Self {
            Self { bytes: Arc::default(), room: usize::MAX }
        }

        fn text(&self) -> String {
            let bytes = self.bytes.lock().expect("no panic");
            String::from_utf8(bytes.clone()).expect("text")
        }

        fn left(&self) -> BTreeSet<u64> {
            read(&self.text()).1
        }
    }

    /// The service, and the way to connect to it.
    struct Running {
        connect: mpsc::Sender<DuplexStream>,
        stop: CancellationToken,
        service: JoinHandle<io::Result<()>>,
    }

    impl Running {
        fn start(file: &File) -> Self {
            let (connect, connections) = mpsc::channel(8);
            let stop = CancellationToken::new();
            let (accepted, left) = read(&file.text());
            let file = Box::new(file.clone());
            let journal =
                Arc::new(Mutex::new(Journal { file, accepted }));
            let service =
                serve(connections, journal, left, stop.clone());
            Self { connect, stop, service: tokio::spawn(service) }
        }

        async fn connect(&self, room: usize) -> DuplexStream {
            let (ours, theirs) = tokio::io::duplex(room);
            self.connect.send(theirs).await.expect("it listens");
            ours
        }

        async fn client(&self) -> Client {
            Client(BufReader::new(self.connect(64).await).lines())
        }

        /// Stops it; it must return within its deadline.
        async fn stop(self) -> io::Result<()> {
            let told = Instant::now();
            self.stop.cancel();
            let ended = self.service.await.expect("no panic");
            let limit = GRACE + LAST + Duration::from_millis(2);
            assert!(told.elapsed() <= limit, "{:?}", told.elapsed());
            // The test's own clients notice it within 20 ms.
            hazards::no_task_left_after(Duration::from_millis(20))
                .await;
            ended
        }
    }

    struct Client(Lines<BufReader<DuplexStream>>);

    impl Client {
        async fn ask(&mut self, line: &str) -> io::Result<String> {
            let line = format!("{line}\n");
            self.0.get_mut().write_all(line.as_bytes()).await?;
            let answer = self.0.next_line().await?;
            answer.ok_or(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// A client: orders at random moments until the service stops.
    /// Returns what was accepted.
    async fn order(
        connection: impl AsyncRead + AsyncWrite + Unpin,
        ids: impl Iterator<Item = u64>,
        mut random: Rng,
    ) -> Vec<u64> {
        let mut lines = BufReader::new(connection).lines();
        let mut accepted = Vec::new();
        for id in ids {
            sleep(Duration::from_millis(random.u64(0..20))).await;
            let line = format!("{id}\n");
            let sent = lines.get_mut().write_all(line.as_bytes());
            if sent.await.is_err() {
                break;
            }
            match lines.next_line().await {
                Ok(Some(line)) if line == format!("accepted {id}") => {
                    accepted.push(id);
                }
                Ok(Some(line)) if line != "stopping" => {
                    panic!("unexpected: {line}")
                }
                _ => break,
            }
        }
        accepted
    }

    fn journaled(journal: &str, what: &str) -> Vec<u64> {
        let lines = journal.lines().filter_map(|line| {
            let order = line.strip_suffix(';')?.strip_prefix(what)?;
            order.trim().parse().ok()
        });
        lines.collect()
    }

    /// All that was answered "accepted" is in the journal, and nothing is
    /// there twice.
    fn check(journal: &str, told: &[u64], moment: &str) {
        for what in ["accepted", "done"] {
            let orders = journaled(journal, what);
            let once = BTreeSet::from_iter(orders.iter());
            assert_eq!(once.len(), orders.len(), "{moment}: {journal}");
        }
        let accepted =
            BTreeSet::from_iter(journaled(journal, "accepted"));
        let done = BTreeSet::from_iter(journaled(journal, "done"));
        assert!(done.is_subset(&accepted), "{moment}: {journal}");
        let lost = told.iter().find(|order| !accepted.contains(order));
        assert_eq!(lost, None, "{moment}: {journal}");
    }

    /// Ten busy clients and five silent ones, for four places. Every
    /// other client uses the ids of its neighbor, as if it had lost
    /// the answers. The stop comes at a random moment.
    async fn run_and_stop(seed: u64, file: &File) -> Vec<u64> {
        let mut random = Rng::with_seed(seed);
        let running = Running::start(file);
        let mut silent = Vec::new();
        let mut clients = JoinSet::new();
        for client in 0..10 {
            if client % 2 == 0 {
                silent.push(running.connect(64).await);
            }
            let first = (seed * 10 + client / 2) * 1000;
            let ours = running.connect(64).await;
            clients.spawn(order(ours, first.., random.fork()));
        }
        sleep(Duration::from_millis(random.u64(0..500))).await;
        running.stop().await.expect("the work doesn't panic");
        clients.join_all().await.concat()
    }

    #[test]
    fn stop_at_a_thousand_moments_loses_nothing() {
        let (mut left, mut drained) = (0, 0);
        hazards::each_seed(1000, |seed| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let file = File::new();
                let mut told = run_and_stop(seed, &file).await;
                check(&file.text(), &told, "first run");
                match file.left().is_empty() {
                    true => drained += 1,
                    false => left += 1,
                }
                told.extend(run_and_stop(seed + 1000, &file).await);
                while !file.left().is_empty() {
                    finish(&file).await;
                }
                check(&file.text(), &told, "last run");
            });
        });
        assert!(left > 100 && drained > 100, "{left} {drained}");
    }

    /// A run without clients.
    async fn finish(file: &File) {
        let running = Running::start(file);
        sleep(Duration::from_millis(50)).await;
        running.stop().await.expect("the work doesn't panic");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_that_reads_no_answer_holds_nothing() {
        let file = File::new();
        let running = Running::start(&file);
        let mut deaf = running.connect(8).await;
        deaf.write_all(b"1\n2\n").await.expect("room");
        sleep(Duration::from_secs(1)).await;
        running.stop().await.expect("no panic");
        check(&file.text(), &[1], "deaf");
    }

    /// As many as are admitted. None reads its answer, so all of them
    /// are disconnected, and another client gets their place.
    #[tokio::test(start_paused = true)]
    async fn slow_clients_that_read_no_answer_are_disconnected() {
        let file = File::new();
        let running = Running::start(&file);
        let mut deaf = Vec::new();
        for order in 0..SESSIONS {
            let mut client = running.connect(8).await;
            let line = format!("{order}\n");
            client.write_all(line.as_bytes()).await.expect("room");
            deaf.push(client);
        }
        let mut client = running.client().await;
        let answer = hazards::within(2 * IDLE, client.ask("1000"));
        assert_eq!(answer.await.expect("an answer"), "accepted 1000");
        running.stop().await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_many_clients_holds_nobody() {
        let file = File::new();
        let running = Running::start(&file);
        let mut silent = Vec::new();
        for _ in 0..50 {
            silent.push(running.connect(64).await);
        }
        let mut client = running.client().await;
        let asked = client.ask("7");
        let answer = hazards::within(Duration::from_secs(1), asked);
        assert_eq!(answer.await.expect("an answer"), "accepted 7");
        // More than are let in: the silent ones are disconnected.
        for _ in 0..2 * SESSIONS {
            silent.push(running.connect(64).await);
        }
        sleep(3 * IDLE).await;
        let mut client = running.client().await;
        let answer = client.ask("8").await;
        assert_eq!(answer.expect("an answer"), "accepted 8");
        running.stop().await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_accepted_when_there_is_room() {
        let file = File::new();
        let running = Running::start(&file);
        let mut clients = JoinSet::new();
        for nth in 0..9 {
            let mut client = running.client().await;
            clients.spawn(async move {
                for order in nth * 10..nth * 10 + 10 {
                    let answer = client.ask(&order.to_string()).await;
                    let answer = answer.expect("an answer");
                    assert_eq!(answer, format!("accepted {order}"));
                }
            });
        }
        clients.join_all().await;
        running.stop().await.expect("no panic");
        assert_eq!(journaled(&file.text(), "accepted").len(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn again_an_order_is_accepted_and_done_once() {
        let file = File::new();
        for _ in 0..2 {
            let running = Running::start(&file);
            let mut client = running.client().await;
            for _ in 0..3 {
                let answer = client.ask("7").await;
                assert_eq!(answer.expect("an answer"), "accepted 7");
            }
            sleep(Duration::from_secs(1)).await;
            running.stop().await.expect("no panic");
        }
        assert_eq!(file.text(), "\naccepted 7;\ndone 7;");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_and_silence_of_an_order_leave_the_others() {
        let file = File::new();
        let running = Running::start(&file);
        let mut client = running.client().await;
        for order in [PANICS, HANGS, 1, 2, 3] {
            let answer = client.ask(&order.to_string()).await;
            let answer = answer.expect("an answer");
            assert_eq!(answer, format!("accepted {order}"));
        }
        sleep(Duration::from_secs(10)).await;
        running.stop().await.expect("the work doesn't panic");
        assert_eq!(file.left(), BTreeSet::from([PANICS, HANGS]));
    }

    /// Its message panics, in the work that wants to log it.
    #[derive(Debug)]
    struct Cursed;

    impl std::error::Error for Cursed {}

    impl std::fmt::Display for Cursed {
        fn fmt(&self, _: &mut std::fmt::Formatter) -> std::fmt::Result {
            std::panic::resume_unwind(Box::new("no message"))
        }
    }

    /// A file that accepts orders, and doesn't let them be done.
    struct NeverDone;

    impl Write for NeverDone {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.starts_with(b"\ndone") {
                true => Err(io::Error::other(Cursed)),
                false => Ok(bytes.len()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_work_stops_the_service() {
        let (connect, connections) = mpsc::channel(1);
        let journal = Journal {
            file: Box::new(NeverDone),
            accepted: BTreeSet::new(),
        };
        let journal = Arc::new(Mutex::new(journal));
        let stop = CancellationToken::new();
        let service =
            serve(connections, journal, BTreeSet::new(), stop);
        let service = tokio::spawn(service);
        let (ours, theirs) = tokio::io::duplex(64);
        connect.send(theirs).await.expect("it listens");
        let mut client = Client(BufReader::new(ours).lines());
        let answer = client.ask("7").await.expect("an answer");
        assert_eq!(answer, "accepted 7");
        let ended = hazards::within(Duration::from_secs(5), service);
        let ended = ended.await.expect("no panic");
        let error = ended.expect_err("the work panicked");
        assert!(error.to_string().contains("no message"), "{error}");
        hazards::no_task_left().await;
    }

    /// Without the queue's receiver, a session accepts nothing.
    #[tokio::test(start_paused = true)]
    async fn owner_gone_a_session_says_that_it_stops() {
        let journal = Journal {
            file: Box::new(File::new()),
            accepted: BTreeSet::new(),
        };
        let journal = Arc::new(Mutex::new(journal));
        let (queue, _) = mpsc::channel(1);
        let (ours, theirs) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        tokio::spawn(session(theirs, queue, journal, stop));
        let mut client = Client(BufReader::new(ours).lines());
        assert_eq!(client.ask("1").await.expect("a line"), "stopping");
        hazards::no_task_left().await;
    }

    /// A listener that fails a thousand times, and then has a client.
    struct Failing(u32, io::ErrorKind, Option<DuplexStream>);

    impl Listen for Failing {
        type Connection = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            match self.0.checked_sub(1) {
                Some(rest) => {
                    self.0 = rest;
                    Err(self.1.into())
                }
                None => match self.2.take() {
                    Some(client) => Ok(client),
                    None => std::future::pending().await,
                },
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_to_accept_neither_spins_nor_ends_it() {
        for (kind, seconds) in [
            (io::ErrorKind::ConnectionAborted, 0),
            (io::ErrorKind::QuotaExceeded, 100),
        ] {
            let (ours, theirs) = tokio::io::duplex(64);
            let listener = Failing(1000, kind, Some(theirs));
            let stop = CancellationToken::new();
            let start = |_client, _place| stop.cancel();
            let begun = Instant::now();
            accept(listener, &stop, start).await;
            assert_eq!(begun.elapsed().as_secs(), seconds);
            drop(ours);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let file = File::new();
        let running = Running::start(&file);
        let mut client = running.client().await;
        client.ask("7").await.expect("an answer");
        client.ask(&HANGS.to_string()).await.expect("an answer");
        running.service.abort();
        hazards::no_task_left().await;
    }

    /// The disk is full in the middle of a record, and then it isn't.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_disk_is_no_acceptance() {
        let record = "\naccepted 123;";
        for room in 0..record.len() {
            let mut file = File { room, ..File::new() };
            let running = Running::start(&file);
            let mut client = running.client().await;
            client.ask("123").await.expect_err("not accepted");
            running.stop().await.expect("no panic");
            file.room = usize::MAX;
            let running = Running::start(&file);
            let mut client = running.client().await;
            let answer = client.ask("45").await;
            assert_eq!(answer.expect("an answer"), "accepted 45");
            running.stop().await.expect("no panic");
            let (accepted, _) = read(&file.text());
            assert_eq!(accepted, BTreeSet::from([45]));
        }
    }

    /// Killed between any two bytes.
    #[test]
    fn crash_leaves_a_record_that_is_recognized() {
        let journal = "\naccepted 123;\naccepted 4;\ndone 123;";
        for end in 0..=journal.len() {
            let (accepted, left) = read(&journal[..end]);
            assert_eq!(accepted.contains(&123), end >= 14);
            assert_eq!(accepted.contains(&4), end >= 26);
            assert_eq!(left.contains(&123), (14..36).contains(&end));
            let next = format!("{}\naccepted 5;", &journal[..end]);
            assert!(read(&next).1.contains(&5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_a_line() {
        let file = File::new();
        let running = Running::start(&file);
        let mut client = running.client().await;
        for line in ["", "-1", "ä", "18446744073709551616"] {
            let answer = client.ask(line).await.expect("an answer");
            assert_eq!(answer, "not a number");
        }
        let answer = client.ask(&u64::MAX.to_string()).await;
        assert!(answer.expect("an answer").starts_with("accepted"));
        let too_long = "1".repeat(100);
        client.ask(&too_long).await.expect_err("disconnected");
        // Part of a line is no order.
        let mut client = running.connect(64).await;
        client.write_all(b"12").await.expect("room");
        drop(client);
        running.stop().await.expect("no panic");
        assert_eq!(read(&file.text()).0, BTreeSet::from([u64::MAX]));
    }

    /// Dropped at any poll, a session has written what it has queued.
    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_session_loses_no_order() {
        hazards::at_every_poll(async |cancel| {
            let file = File::new();
            let journal = Journal {
                file: Box::new(file.clone()),
                accepted: BTreeSet::new(),
            };
            let journal = Arc::new(Mutex::new(journal));
            let (queue, mut orders) = mpsc::channel(4);
            let (mut ours, theirs) = tokio::io::duplex(8);
            ours.write_all(b"1\n2\n").await.expect("room");
            let reading = tokio::spawn(async move {
                let mut lines = BufReader::new(ours).lines();
                lines.next_line().await.expect("a line")
            });
            let stop = CancellationToken::new();
            cancel.run(session(theirs, queue, journal, stop)).await;
            let mut queued = Vec::new();
            while let Some(order) = orders.recv().await {
                queued.push(order);
            }
            assert_eq!(journaled(&file.text(), "accepted"), queued);
            if let Some(line) = reading.await.expect("no panic") {
                assert!(queued.contains(&1), "{line}");
            }
        })
        .await;
    }

    /// Not a test when it runs as one; a child when a test starts it.
    #[cfg(unix)]
    #[test]
    fn child() -> io::Result<()> {
        match std::env::var_os("JOURNAL") {
            Some(file) => process::main(file.as_ref()),
            None => Ok(()),
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn threads_of_twenty_processes_lose_nothing() -> io::Result<()>
    {
        for seed in 0..20 {
            let mut random = Rng::with_seed(seed);
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("journal");
            let (child, address) = child::start(&file).await?;
            let client = TcpStream::connect(address).await?;
            let client =
                tokio::spawn(order(client, 0.., random.fork()));
            sleep(Duration::from_millis(random.u64(0..300))).await;
            let told = Instant::now();
            child::stop(child).await?;
            // Beyond its own deadline: the machine's load.
            assert!(told.elapsed() < GRACE + Duration::from_secs(3));
            let accepted = client.await?;
            let journal = std::fs::read_to_string(&file)?;
            check(&journal, &accepted, &format!("seed {seed}"));
        }
        Ok(())
    }

    /// An order hangs, so only the second Ctrl-C ends the process before
    /// its deadline. Another SIGTERM doesn't.
    #[cfg(unix)]
    #[tokio::test]
    async fn stop_twice_exits_only_on_ctrl_c() -> io::Result<()> {
        for (signal, code) in [("INT", 130), ("TERM", 0)] {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("journal");
            let (child, address) = child::start(&file).await?;
            let client = TcpStream::connect(address).await?;
            let mut lines = BufReader::new(client).lines();
            let line = format!("{HANGS}\n");
            lines.get_mut().write_all(line.as_bytes()).await?;
            lines.next_line().await?;
            let ended = repeat(child, signal).await?;
            assert_eq!(ended.code(), Some(code), "{signal}");
            let journal = std::fs::read_to_string(&file)?;
            assert_eq!(read(&journal).1, BTreeSet::from([HANGS]));
        }
        Ok(())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn crash_of_a_process_loses_nothing() -> io::Result<()> {
        for seed in 0..5 {
            let mut random = Rng::with_seed(seed);
            let folder = tempfile::tempdir()?;
            let file = folder.path().join("journal");
            let (mut child, address) = child::start(&file).await?;
            let client = TcpStream::connect(address).await?;
            let client =
                tokio::spawn(order(client, 0.., random.fork()));
            sleep(Duration::from_millis(random.u64(50..300))).await;
            child.kill().await?;
            let accepted = client.await?;
            let journal = std::fs::read_to_string(&file)?;
            check(&journal, &accepted, &format!("seed {seed}"));
        }
        Ok(())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn again_until_all_is_done() -> io::Result<()> {
        let journal = child::demonstrate().await?;
        let accepted: Vec<u64> = (0..20).collect();
        check(&journal, &accepted, "demonstration");
        assert_eq!(journaled(&journal, "done").len(), 20);
        Ok(())
    }
}
