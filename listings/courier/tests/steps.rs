//! The steps of the chapter: each attack is made on the step that it
//! breaks and on the step that survives it, and `tests/steps/*.out` has
//! what came out, as the pages show it.

#[path = "steps/process.rs"]
mod process;
#[path = "steps/receiver.rs"]
mod receiver;

use std::{fs, io::ErrorKind, path::Path, time::Duration};

use process::Step;
use receiver::Receiver;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Compares what came out with the recorded file. With
/// `UPDATE_EXPECT=1`, it writes the file.
fn assert_recorded(name: &str, lines: &[String]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("tests/steps").join(name);
    let actual = lines.concat();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &actual).unwrap();
    }
    let recorded = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(actual, recorded, "{} is out of date", file.display());
}

/// A step is killed after it has acknowledged 20 events, and before
/// the receiver has answered the first request.
#[tokio::test]
async fn crash_loses_what_is_only_in_memory() {
    let mut lines = Vec::new();
    for name in ["step_1_in_memory", "step_2_durable"] {
        let receiver = Receiver::start().await;
        receiver.hold();
        let folder = tempfile::tempdir().unwrap();
        let urls = [receiver.url()];
        let step = Step::start(name, &folder, &urls).await;
        for number in 1..=20 {
            step.send(&number.to_string()).await;
        }
        assert!(receiver.has_requests(1, PATIENCE).await);
        step.kill().await;
        receiver.release();
        let step = Step::start(name, &folder, &urls).await;
        // One more event shows that the second process works.
        step.send("21").await;
        assert!(receiver.has("21", PATIENCE).await);
        if name != "step_1_in_memory" {
            receiver.has_events(21, PATIENCE).await;
        }
        let lost = 21 - receiver.events();
        lines.push(format!(
            "{name}: killed after it had acknowledged 20 events: {lost} lost\n"
        ));
        step.kill().await;
    }
    assert_recorded("killed.out", &lines);
}

/// One of two receivers doesn't answer.
#[tokio::test]
async fn silence_of_one_receiver_delays_only_its_own_events() {
    let mut lines = Vec::new();
    for name in ["step_2_durable", "step_3_dispatched"] {
        let (silent, good) =
            (Receiver::start().await, Receiver::start().await);
        silent.hold();
        let folder = tempfile::tempdir().unwrap();
        let urls = [silent.url(), good.url()];
        let step = Step::start(name, &folder, &urls).await;
        for number in 1..=5 {
            step.send(&number.to_string()).await;
        }
        assert!(silent.has_requests(1, PATIENCE).await);
        // The first step waits 15 seconds for the silent receiver.
        good.has_events(5, Duration::from_secs(3)).await;
        lines.push(format!(
            "{name}: one of two receivers is silent: the other one got {} of 5 events within 3 s\n",
            good.events(),
        ));
        step.kill().await;
    }
    assert_recorded("silent.out", &lines);
}

/// Clients send half of a request's head, and then nothing.
#[tokio::test]
async fn silence_of_clients_ends_their_connections() {
    let mut lines = Vec::new();
    for name in ["step_3_dispatched", "step_4_guarded"] {
        let receiver = Receiver::start().await;
        let folder = tempfile::tempdir().unwrap();
        let step = Step::start(name, &folder, &[receiver.url()]).await;
        let mut clients = Vec::new();
        for _ in 0..50 {
            let mut client =
                TcpStream::connect(step.address).await.unwrap();
            client.write_all(b"POST /events/orders HT").await.unwrap();
            clients.push(client);
        }
        // The second step gives them one second.
        sleep(Duration::from_secs(3)).await;
        let mut open = 0;
        for client in &mut clients {
            open += usize::from(is_open(client).await);
        }
        lines.push(format!(
            "{name}: 50 clients sent half of a request: {open} connections are still open after 3 s\n"
        ));
        step.kill().await;
    }
    assert_recorded("half_sent.out", &lines);
}

async fn is_open(client: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let end = client.read_to_end(&mut rest);
    match timeout(Duration::from_millis(50), end).await {
        Err(_still_open) => true,
        Ok(Ok(_)) => false,
        Ok(Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            false
        }
    }
}

/// A step gets SIGTERM while the receiver works on ten requests, and is
/// started again.
#[tokio::test]
async fn stop_waits_for_the_attempts_under_way() {
    let mut lines = Vec::new();
    for name in ["step_4_guarded", "courier"] {
        let receiver = Receiver::start().await;
        receiver.hold();
        let folder = tempfile::tempdir().unwrap();
        let step = Step::start(name, &folder, &[receiver.url()]).await;
        for number in 1..=10 {
            step.send(&number.to_string()).await;
        }
        assert!(receiver.has_requests(10, PATIENCE).await);
        let stopping = tokio::spawn(step.stop());
        // The receiver answers only after the signal.
        sleep(Duration::from_millis(500)).await;
        receiver.release();
        stopping.await.unwrap();
        let step = Step::start(name, &folder, &[receiver.url()]).await;
        step.send("11").await;
        assert!(receiver.has("11", PATIENCE).await);
        if name == "step_4_guarded" {
            receiver.has_requests(21, PATIENCE).await;
        }
        lines.push(format!(
            "{name}: SIGTERM during 10 attempts: {} requests for 10 events\n",
            receiver.requests() - 1,
        ));
        step.kill().await;
    }
    assert_recorded("sigterm.out", &lines);
}
