//! A whole small service: what it accepts is done, or handed back.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt,
        BufReader,
    },
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Duration, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

// ANCHOR: journal
/// What was accepted and what was done, a line each.
#[derive(Clone)]
struct Journal(Arc<Mutex<dyn Write + Send>>);

impl Journal {
    /// Writes at once, and does not wait for the disk: it is short.
    fn write(&self, what: &str, order: u64) -> io::Result<()> {
        let line = format!("{what} {order}\n");
        let mut file =
            self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}

/// The orders that are accepted and not done: what the last run left.
fn left_over(journal: &str) -> BTreeSet<u64> {
    let mut left = BTreeSet::new();
    for line in journal.lines() {
        match line.split_once(' ') {
            Some(("accepted", order)) => {
                left.extend(order.parse::<u64>())
            }
            Some(("done", order)) => {
                left.retain(|it| Ok(*it) != order.parse())
            }
            _ => eprintln!("not a line of a journal: {line}"),
        }
    }
    left
}
// ANCHOR_END: journal

/// Where connections come from: a socket, or a test.
trait Listen {
    type Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    async fn accept(&mut self) -> io::Result<Self::Connection>;
}

impl Listen for TcpListener {
    type Connection = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

// ANCHOR: stop
/// How long what was begun may take when the service is told to stop.
const GRACE: Duration = Duration::from_millis(200);

/// Serves until it is told to stop, and ends within the time of grace.
async fn serve(
    mut listener: impl Listen,
    journal: Journal,
    left: BTreeSet<u64>,
    stop: CancellationToken,
) {
    let (tasks, hurry) = (TaskTracker::new(), CancellationToken::new());
    let (queue, orders) = mpsc::channel(4);
    tasks.spawn(work(orders, journal.clone(), hurry.clone()));
    tasks.spawn(again(left, queue.clone(), stop.clone()));
    while let Some(accepted) =
        stop.run_until_cancelled(listener.accept()).await
    {
        let (queue, journal) = (queue.clone(), journal.clone());
        match accepted {
            Ok(connection) => {
                let session =
                    session(connection, queue, journal, stop.clone());
                let hurry = hurry.clone();
                tasks.spawn(hurry.run_until_cancelled_owned(session));
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
    // No one new; sessions end, then the queue, then the work.
    drop((listener, queue));
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        hurry.cancel();
        tasks.wait().await;
    }
}
// ANCHOR_END: stop

// ANCHOR: session
/// Accepts orders, a line each, until told to stop or the client goes.
async fn session(
    connection: impl AsyncRead + AsyncWrite,
    queue: mpsc::Sender<u64>,
    journal: Journal,
    stop: CancellationToken,
) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(connection);
    let mut lines = BufReader::new(read).lines();
    loop {
        let next = async {
            // Room first: what cannot be taken is not even read.
            let place = queue.reserve().await;
            Ok((place, lines.next_line().await?))
        };
        let (place, line) = match stop.run_until_cancelled(next).await {
            Some(Ok((Ok(place), Some(line)))) => (place, line),
            Some(Err(error)) => return Err(error),
            Some(Ok((_, None))) => return Ok(()),
            Some(Ok((Err(_), _))) | None => break,
        };
        let Ok(order) = line.parse() else {
            write.write_all(b"not a number\n").await?;
            continue;
        };
        // From here to `send` nothing waits, so nothing can be cut.
        journal.write("accepted", order)?;
        place.send(order);
        write
            .write_all(format!("accepted {order}\n").as_bytes())
            .await?;
    }
    // All that was not answered before this is not accepted.
    write.write_all(b"stopping\n").await
}
// ANCHOR_END: session

/// Takes up what the last run left.
async fn again(
    left: BTreeSet<u64>,
    queue: mpsc::Sender<u64>,
    stop: CancellationToken,
) {
    for order in left {
        let queued = queue.send(order);
        match stop.run_until_cancelled(queued).await {
            Some(Ok(())) => {}
            // It stays in the journal.
            Some(Err(_)) | None => return,
        }
    }
}

// ANCHOR: work
/// Does what is in the queue, some at once, until the queue has ended
/// or time is over.
async fn work(
    mut queue: mpsc::Receiver<u64>,
    journal: Journal,
    hurry: CancellationToken,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = hurry.cancelled() => break,
            Some(done) = running.join_next() => tell_failure(done),
            next = queue.recv(), if running.len() < 3 => match next {
                Some(order) => {
                    running.spawn(ship(order, journal.clone()));
                }
                None => break,
            },
        }
    }
    while let Some(Some(done)) =
        hurry.run_until_cancelled(running.join_next()).await
    {
        tell_failure(done);
    }
    // What is cut here, and what is in the queue, is not in the journal
    // as done: the next start does it.
    running.shutdown().await;
}

/// Does the work, and then writes that it is done. Cut before that, it
/// has done nothing.
async fn ship(order: u64, journal: Journal) -> io::Result<()> {
    sleep(Duration::from_millis(20 + order * 37 % 160)).await;
    journal.write("done", order)
}
// ANCHOR_END: work

fn tell_failure(done: Result<io::Result<()>, JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            eprintln!("cannot write the journal: {error}")
        }
        Err(error) => eprintln!("an order failed: {error}"),
    }
}

/// The service as a process: its journal's file, and signals.
mod process {
    use std::{
        fs::{self, File},
        path::Path,
    };

    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    #[cfg(unix)]
    // ANCHOR: main
    /// Serves on a port that it prints, until SIGTERM or SIGINT.
    pub async fn run(file: &Path) -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (journal, left) = open(file)?;
        let stopped = stop.clone();
        let told = tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopped.cancel();
            // The second Ctrl-C, of one who does not want to wait.
            interrupt.recv().await;
            std::process::exit(130);
        });
        println!("listening on {address}");
        serve(listener, journal, left, stop).await;
        told.abort();
        Ok(())
    }

    /// Opens the journal to write at its end. Returns what it left.
    pub fn open(file: &Path) -> io::Result<(Journal, BTreeSet<u64>)> {
        let left = match fs::read_to_string(file) {
            Ok(text) => left_over(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                BTreeSet::new()
            }
            Err(error) => return Err(error),
        };
        let file =
            File::options().create(true).append(true).open(file)?;
        Ok((Journal(Arc::new(Mutex::new(file))), left))
    }
    // ANCHOR_END: main
}

/// The same, started and stopped from outside.
#[cfg(unix)]
mod child {
    use std::{fs, path::Path};

    use tokio::process::{Child, Command};

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
                // Its last lines shall find someone who reads.
                child.stdout = Some(lines.into_inner().into_inner());
                return Ok((child, address));
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// As a test, the child is one of the tests.
    const AS_CHILD: &[&str] = if cfg!(test) {
        &["tests::child", "--exact", "--nocapture"]
    } else {
        &[]
    };

    /// As a supervisor does it, and as you do it by hand.
    async fn kill(id: u32, signal: &str) -> io::Result<()> {
        let command = format!("kill -s {signal} {id}");
        let sent = Command::new("sh").args(["-c", &command]).status();
        match sent.await?.success() {
            true => Ok(()),
            false => Err(io::Error::other("no signal was sent")),
        }
    }

    /// Tells a child to stop, and waits for its end.
    pub async fn stop(mut child: Child) -> io::Result<()> {
        let id = child.id().ok_or(io::ErrorKind::NotFound)?;
        kill(id, "TERM").await?;
        match child.wait().await?.success() {
            true => Ok(()),
            false => Err(io::Error::other("it did not end well")),
        }
    }

    /// Orders until so many are accepted.
    async fn order(address: String, orders: u64) -> io::Result<()> {
        let client = TcpStream::connect(address).await?;
        let mut lines = BufReader::new(client).lines();
        for order in 0..orders {
            let line = format!("{order}\n");
            lines.get_mut().write_all(line.as_bytes()).await?;
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
        while !left_over(&fs::read_to_string(&file)?).is_empty() {
            let (child, _) = start(&file).await?;
            stop(child).await?;
        }
        fs::read_to_string(&file)
    }
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> io::Result<()> {
    if let Some(file) = std::env::var_os("JOURNAL") {
        return process::run(file.as_ref()).await;
    }
    let journal = child::demonstrate().await?;
    let count = |what| {
        let lines =
            journal.lines().filter(|line| line.starts_with(what));
        lines.count()
    };
    println!(
        "accepted: {}, done: {}",
        count("accepted"),
        count("done")
    );
    println!("left: {}", left_over(&journal).len());
    Ok(())
}

/// Elsewhere, it serves until Ctrl-C, if it is given a journal.
#[cfg(not(unix))]
#[tokio::main]
async fn main() -> io::Result<()> {
    let Some(file) = std::env::var_os("JOURNAL") else {
        println!("this program is for Unix");
        return Ok(());
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let (journal, left) = process::open(file.as_ref())?;
    let stop = CancellationToken::new();
    let told = stop.clone().drop_guard();
    let told = tokio::spawn(async move {
        let _told = told;
        tokio::signal::ctrl_c().await
    });
    serve(listener, journal, left, stop).await;
    told.await?
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use tokio::{io::DuplexStream, time::Instant};

    use super::*;

    impl Listen for mpsc::Receiver<DuplexStream> {
        type Connection = DuplexStream;

        async fn accept(&mut self) -> io::Result<DuplexStream> {
            self.recv().await.ok_or(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// A client: orders at random moments until it is told that the
    /// service stops. Returns what was accepted.
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
            line.strip_prefix(what)?.trim().parse().ok()
        });
        lines.collect()
    }

    /// All that clients were told of is in the journal, and nothing is
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

    /// One run in virtual time, stopped at a random moment under load.
    async fn run_and_stop(
        seed: u64,
        file: &Arc<Mutex<Vec<u8>>>,
    ) -> Vec<u64> {
        let mut random = Rng::with_seed(seed);
        let (connect, connections) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let left = left_over(&text(file));
        let journal = Journal(file.clone());
        let service = tokio::spawn(serve(
            connections,
            journal,
            left,
            stop.clone(),
        ));
        let mut clients = JoinSet::new();
        for client in 0..3 {
            let (ours, theirs) = tokio::io::duplex(64);
            connect.send(theirs).await.expect("it listens");
            let ids =
                (0..).map(move |nth| (seed * 3 + client) * 1000 + nth);
            clients.spawn(order(ours, ids, random.fork()));
        }
        sleep(Duration::from_millis(random.u64(0..500))).await;
        let told = Instant::now();
        stop.cancel();
        service.await.expect("no panic");
        let took = told.elapsed();
        assert!(
            took <= GRACE + Duration::from_millis(1),
            "{seed}: {took:?}"
        );
        clients.join_all().await.concat()
    }

    fn text(file: &Mutex<Vec<u8>>) -> String {
        let file = file.lock().expect("no panic");
        String::from_utf8(file.clone()).expect("text")
    }

    #[test]
    fn nothing_is_lost_or_done_twice_at_a_thousand_moments() {
        let (mut left, mut drained) = (0, 0);
        for seed in 0..1000 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let file = Arc::new(Mutex::new(Vec::new()));
                let mut told = run_and_stop(seed, &file).await;
                check(&text(&file), &told, &format!("seed {seed}"));
                match left_over(&text(&file)).is_empty() {
                    true => drained += 1,
                    false => left += 1,
                }
                told.extend(run_and_stop(seed + 1000, &file).await);
                while !left_over(&text(&file)).is_empty() {
                    finish(&file).await;
                }
                check(&text(&file), &told, &format!("seed {seed}"));
            });
        }
        assert!(left > 100 && drained > 100, "{left} {drained}");
    }

    /// A run without clients.
    async fn finish(file: &Arc<Mutex<Vec<u8>>>) {
        let (_connect, connections) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let left = left_over(&text(file));
        let service = serve(
            connections,
            Journal(file.clone()),
            left,
            stop.clone(),
        );
        let service = tokio::spawn(service);
        sleep(Duration::from_millis(50)).await;
        stop.cancel();
        service.await.expect("no panic");
    }

    /// A client that takes no answer does not hold the service.
    #[tokio::test(start_paused = true)]
    async fn a_deaf_client_does_not_hold_it() {
        let file = Arc::new(Mutex::new(Vec::new()));
        let (connect, connections) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let journal = Journal(file.clone());
        let service = tokio::spawn(serve(
            connections,
            journal,
            BTreeSet::new(),
            stop.clone(),
        ));
        let (mut ours, theirs) = tokio::io::duplex(8);
        connect.send(theirs).await.expect("it listens");
        ours.write_all(b"1\n2\n").await.expect("room");
        sleep(Duration::from_secs(1)).await;
        let told = Instant::now();
        stop.cancel();
        service.await.expect("no panic");
        assert_eq!(told.elapsed(), GRACE);
        check(&text(&file), &[1], "deaf");
    }

    /// Not a test when it runs as one; a child when a test starts it.
    #[cfg(unix)]
    #[tokio::test]
    async fn child() -> io::Result<()> {
        match std::env::var_os("JOURNAL") {
            Some(file) => process::run(file.as_ref()).await,
            None => Ok(()),
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn twenty_processes_lose_nothing() -> io::Result<()> {
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

    /// Who kills it without a word gets all the same what was accepted.
    #[cfg(unix)]
    #[tokio::test]
    async fn killed_it_loses_nothing() -> io::Result<()> {
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
    async fn at_last_all_is_done() -> io::Result<()> {
        let journal = child::demonstrate().await?;
        let accepted: Vec<u64> = (0..20).collect();
        check(&journal, &accepted, "demonstration");
        assert_eq!(journaled(&journal, "done").len(), 20);
        Ok(())
    }
}
