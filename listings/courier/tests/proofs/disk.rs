//! A disk that's full, and has space again later.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    clients::{Load, Plan},
    is_root,
    place::Place,
    process::{CONFIG, Courier},
    receiver::{Mood, Receiver},
    until,
};

const MINUTE: Duration = Duration::from_secs(60);

const PLAN: Plan =
    Plan { padding: 4_000, pause: Duration::ZERO, ..Plan::SMALL };

/// A disk that can be full.
enum Disk {
    /// A small file system in memory, and a file that takes the space that's left. Only root can mount it.
    Small(TempDir),
    /// A file can't grow beyond a limit of this process: writes fail with `EFBIG`.
    Limited,
}

impl Disk {
    fn small() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]);
        succeeds(mount.arg(folder.path()));
        Self::Small(folder)
    }

    fn place(&self) -> Place {
        match self {
            Self::Small(folder) => Place::sqlite_in(folder.path()),
            Self::Limited => Place::sqlite(),
        }
    }

    fn fill(&self, courier: &Courier) {
        match self {
            Self::Small(folder) => {
                let zeros = vec![0; 8 << 20];
                let error =
                    fs::write(folder.path().join("full"), zeros);
                let error = error.expect_err("the disk is full");
                let kind = error.kind();
                assert_eq!(kind, std::io::ErrorKind::StorageFull);
            }
            Self::Limited => limit_files(courier, "600000"),
        }
    }

    fn free(&self, courier: &Courier) {
        match self {
            Self::Small(folder) => {
                let full = folder.path().join("full");
                fs::remove_file(full).expect("a file");
            }
            Self::Limited => limit_files(courier, "unlimited"),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small(folder) = self {
            succeeds(
                Command::new("umount").arg("-l").arg(folder.path()),
            );
        }
    }
}

fn limit_files(courier: &Courier, bytes: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.arg(format!("--pid={}", courier.pid()));
    succeeds(prlimit.arg(format!("--fsize={bytes}:")));
}

fn succeeds(command: &mut Command) {
    let status = command.status().expect("it's installed");
    assert!(status.success(), "{command:?}: {status}");
}

/// Fills the disk, lets clients see that it's full, and frees it. `killed`: the process is killed meanwhile.
async fn full_and_free(test: &str, disk: Disk, killed: bool) {
    let receiver = Receiver::start(Mood::Down).await;
    let place = disk.place();
    let mut courier = Courier::new(&place, CONFIG);
    courier.ready().await;
    courier.subscribe("one", &receiver.url("one")).await;
    let load = Load::start(vec![courier.url.clone()], PLAN);
    until("some are accepted", MINUTE, async || {
        load.progress().acknowledged.len() > 20
    })
    .await;
    // ANCHOR: full
    disk.fill(&courier);
    until("answered 503", MINUTE, async || {
        load.progress().unavailable > 20
    })
    .await;
    // It's alive, and it refuses requests instead of ignoring them.
    let live = reqwest::get(format!("{}/live", courier.url)).await;
    assert!(live.expect("an answer").status().is_success());
    let full = load.progress();
    let silent = full.unknown - full.unavailable;
    assert_eq!(silent, 0, "requests without an answer, or not 503");
    // ANCHOR_END: full
    if killed {
        courier.kill().await;
        courier.start();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let freed = Instant::now();
    disk.free(&courier);
    receiver.set_mood(Mood::Fine);
    if killed && courier.has_ended() {
        // It couldn't open its database, and said why.
        assert!(!courier.ended().await.success());
        assert!(courier.log().contains("disk"), "{}", courier.log());
    }
    courier.ready().await;
    let accepted = full.acknowledged.len();
    until("accepted again", MINUTE, async || {
        load.progress().acknowledged.len() > accepted + 5
    })
    .await;
    let again = freed.elapsed();
    let sent = load.finish().await;
    courier.drained().await;
    let doubles = receiver.verify(&["one"], &sent.acknowledged);
    eprintln!(
        "{test}: {accepted} events until it was full, {} answers 503, \
         accepted again after {again:.1?}, {} events in total, \
         {doubles} doubles",
        sent.unavailable,
        sent.acknowledged.len(),
    );
}

#[tokio::test]
async fn failure_of_writes_is_answered_503_until_there_is_space() {
    full_and_free("writes fail", Disk::Limited, false).await;
}

#[tokio::test]
async fn failure_of_a_full_disk_loses_nothing_that_was_acknowledged() {
    if is_root() {
        full_and_free("a full disk", Disk::small(), false).await;
    } else {
        eprintln!("not root: a limit of files, and no full disk");
        full_and_free("writes fail", Disk::Limited, false).await;
    }
}

#[tokio::test]
async fn crash_on_a_full_disk_loses_nothing_that_was_acknowledged() {
    if is_root() {
        full_and_free("killed on a full disk", Disk::small(), true)
            .await;
    } else {
        eprintln!("not root: a limit of files, and no full disk");
        full_and_free("writes fail, killed", Disk::Limited, true).await;
    }
}
