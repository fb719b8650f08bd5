//! The database is restarted, ends every connection, or is locked, while courier runs.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    clients::{Load, Plan},
    is_root,
    place::Place,
    process::{CONFIG, Courier, IN_FLIGHT},
    receiver::{Mood, Receiver},
    until,
};

/// A PostgreSQL server of this test's own.
struct Server {
    folder: TempDir,
    programs: PathBuf,
}

impl Server {
    /// A new one, if PostgreSQL is installed.
    fn start() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let programs =
            versions.flatten().map(|it| it.path().join("bin"));
        let programs = programs.max()?;
        let folder = tempfile::tempdir().expect("a folder");
        if is_root() {
            // PostgreSQL doesn't run as root.
            let mut chown = Command::new("chown");
            let chown = chown.arg("postgres").arg(folder.path());
            assert!(chown.status().expect("it's there").success());
        }
        let server = Self { folder, programs };
        server.run("initdb", &["-A", "trust", "-U", "postgres", "-N"]);
        server.control(&["start"]);
        Some(server)
    }

    fn url(&self) -> url::Url {
        let host = self.folder.path().display();
        let url =
            format!("postgres:///postgres?user=postgres&host={host}");
        url.parse().expect("a URL")
    }

    fn control(&self, what: &[&str]) {
        let folder = self.folder.path().display();
        let options = format!("-c listen_addresses= -k {folder}");
        let log = self.folder.path().join("log").display().to_string();
        let mut arguments = what.to_vec();
        arguments.extend(["-w", "-l", &log, "-o", &options]);
        self.run("pg_ctl", &arguments);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let data = self.folder.path().join("data");
        command.arg("-D").arg(data).args(arguments);
        command.current_dir(self.folder.path());
        let status = command.stdout(Stdio::null()).status();
        assert!(status.expect("it's installed").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "-m", "immediate"]);
    }
}

/// Two processes under load, while something happens to their database three times.
async fn recovers(
    test: &str,
    place: Place,
    processes: usize,
    mut happens: impl AsyncFnMut(&Place, usize),
) {
    let receiver = Receiver::start(Mood::Moody).await;
    let mut couriers = Vec::new();
    for _ in 0..processes {
        let mut courier = Courier::new(&place, CONFIG);
        courier.ready().await;
        couriers.push(courier);
    }
    couriers[0].subscribe("one", &receiver.url("one")).await;
    let urls = couriers.iter().map(|it| it.url.clone());
    let load = Load::start(urls.collect(), Plan::SMALL);
    let mut slowest = Duration::ZERO;
    for time in 0..3 {
        sleep(Duration::from_millis(500)).await;
        happens(&place, time).await;
        let start = Instant::now();
        let before = load.progress().acknowledged.len();
        until("accepted again", Duration::from_secs(60), async || {
            load.progress().acknowledged.len() > before + 20
        })
        .await;
        slowest = slowest.max(start.elapsed());
    }
    let sent = load.finish().await;
    for courier in &mut couriers {
        // The same processes: none of them has ended.
        assert!(!courier.has_ended(), "{}", courier.log());
        courier.drained().await;
    }
    let doubles = receiver.verify(&["one"], &sent.acknowledged);
    eprintln!(
        "{test}, three times: {} events, {} unknown outcomes ({} of \
         them stored), {doubles} doubles, 20 events accepted after at \
         most {slowest:.1?}",
        sent.acknowledged.len(),
        sent.unknown,
        sent.again,
    );
    assert!(doubles <= 3 * processes * IN_FLIGHT);
}

#[tokio::test]
async fn failure_of_postgresql_that_restarts_loses_nothing() {
    let Some(server) = Server::start() else {
        eprintln!("PostgreSQL isn't installed: SQLite, locked");
        locked_three_times("locked instead of restarted").await;
        return;
    };
    let place = Place::postgres_on(&server.url()).await;
    // ANCHOR: restart
    let restart = async |_: &Place, time| match time {
        0 => server.control(&["restart", "-m", "fast"]),
        1 => server.control(&["restart", "-m", "immediate"]),
        _ => {
            server.run("pg_ctl", &["stop", "-m", "immediate"]);
            sleep(Duration::from_secs(1)).await;
            server.control(&["start"]);
        }
    };
    recovers("PostgreSQL restarted", place, 2, restart).await;
    // ANCHOR_END: restart
}

#[tokio::test]
async fn failure_of_all_connections_loses_nothing() {
    let Some(place) = Place::postgres().await else {
        eprintln!("no DATABASE_URL: SQLite, locked");
        locked_three_times("locked instead of disconnected").await;
        return;
    };
    let disconnect = async |place: &Place, _| {
        place.disconnect_all().await;
    };
    recovers("disconnected", place, 2, disconnect).await;
}

#[tokio::test]
async fn silence_of_a_locked_database_loses_nothing() {
    locked_three_times("SQLite locked").await;
}

/// Another process locks SQLite's file for a second.
async fn locked_three_times(test: &str) {
    sqlx::any::install_default_drivers();
    let lock = async |place: &Place, _| {
        let connection = AnyConnection::connect(&place.database).await;
        let mut connection = connection.expect("a connection");
        let begun = connection.execute("BEGIN EXCLUSIVE").await;
        begun.expect("it's locked");
        sleep(Duration::from_secs(1)).await;
        connection.execute("ROLLBACK").await.expect("it's unlocked");
    };
    recovers(test, Place::sqlite(), 1, lock).await;
}
