//! A step of the chapter, running as a process.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, StatusCode};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The process. It's killed when it's dropped.
pub struct Step {
    child: Child,
    /// Kept, so that it can write.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    client: Client,
}

impl Step {
    /// Starts a step (the last one is `courier`), with its
    /// database in a folder, and waits until it listens.
    pub async fn start(
        name: &str,
        folder: &TempDir,
        receivers: &[String],
    ) -> Self {
        let mut command = Command::new(executable(name));
        if name == "courier" {
            let config = folder.path().join("courier.toml");
            let private = "[deliver]\nprivate_addresses = true\n";
            std::fs::write(config, private).unwrap();
            let options =
                ["--bind", "127.0.0.1:0", "--config", "courier.toml"];
            command.args(options);
        } else {
            command.args(receivers);
        }
        let mut child = command
            .current_dir(folder)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let reading = stdout.read_line(&mut line);
        timeout(PATIENCE, reading).await.unwrap().unwrap();
        let mut words =
            line.split(|c: char| c.is_whitespace() || c == '/');
        let address = words.find_map(|word| word.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line:?}"));
        let step = Self {
            child,
            _stdout: stdout,
            address,
            client: Client::new(),
        };
        if name == "courier" {
            for (number, url) in receivers.iter().enumerate() {
                step.subscribe(
                    &format!("receiver-{}", number + 1),
                    url,
                )
                .await;
            }
        }
        step
    }

    async fn subscribe(&self, name: &str, url: &str) {
        let path =
            format!("http://{}/subscriptions/{name}", self.address);
        let body = serde_json::json!({ "url": url });
        let request = self.client.put(path).json(&body);
        let answer = timeout(PATIENCE, request.send()).await.unwrap();
        assert!(answer.unwrap().status().is_success());
    }

    /// Sends an event, and expects that it's acknowledged.
    pub async fn send(&self, body: &str) {
        let url = format!("http://{}/events/orders", self.address);
        let request = self.client.post(url).body(body.to_owned());
        let answer = timeout(PATIENCE, request.send()).await.unwrap();
        assert_eq!(answer.unwrap().status(), StatusCode::ACCEPTED);
    }

    /// Kills it (SIGKILL), and waits for its end.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop (SIGTERM), and waits for its end.
    pub async fn stop(mut self) {
        let id = self.child.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
    }
}

fn executable(name: &str) -> &'static str {
    match name {
        "step_1_in_memory" => env!("CARGO_BIN_EXE_step_1_in_memory"),
        "step_2_durable" => env!("CARGO_BIN_EXE_step_2_durable"),
        "step_3_dispatched" => env!("CARGO_BIN_EXE_step_3_dispatched"),
        "step_4_guarded" => env!("CARGO_BIN_EXE_step_4_guarded"),
        "courier" => env!("CARGO_BIN_EXE_courier"),
        _ => panic!("there is no step {name}"),
    }
}
