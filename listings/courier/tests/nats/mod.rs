//! NATS servers for tests: on free ports of the loopback address, with stores in a folder that's removed in the end.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

/// Servers with JetStream: a single one, or a cluster.
pub struct Nats {
    nodes: Vec<Node>,
    folder: tempfile::TempDir,
}

struct Node {
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    /// Starts servers that know each other, and waits until they answer.
    pub fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // All are bound together, so that they're different.
        let bind =
            |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let free: Vec<_> = (0..2 * count).map(bind).collect();
        let ports: Vec<u16> = free
            .iter()
            .map(|l| l.local_addr().unwrap().port())
            .collect();
        drop(free);
        let (clients, routes) = ports.split_at(count);
        let all: Vec<_> = routes
            .iter()
            .map(|p| format!("nats://127.0.0.1:{p}"))
            .collect();
        let nodes = (0..count).map(|i| {
            let store: PathBuf = folder.path().join(i.to_string());
            let mut arguments = vec![
                "-a=127.0.0.1".to_owned(),
                format!("-p={}", clients[i]),
                "-js".to_owned(),
                format!("-sd={}", store.display()),
                format!("-n=node{i}"),
            ];
            if count > 1 {
                arguments.extend([
                    "--cluster_name=test".to_owned(),
                    format!("--cluster=nats://127.0.0.1:{}", routes[i]),
                    format!("--routes={}", all.join(",")),
                ]);
            }
            Node { arguments, port: clients[i], child: None }
        });
        let mut nats = Self { nodes: nodes.collect(), folder };
        (0..count).for_each(|i| nats.restart(i));
        nats
    }

    /// The servers' addresses, as a client wants them.
    pub fn url(&self) -> String {
        let url = |n: &Node| format!("nats://127.0.0.1:{}", n.port);
        self.nodes.iter().map(url).collect::<Vec<_>>().join(",")
    }

    /// Kills a server as `kill -9` does.
    pub fn kill(&mut self, node: usize) {
        if self.nodes[node].child.is_some() {
            self.signal(node, Signal::SIGKILL);
        }
        if let Some(mut child) = self.nodes[node].child.take() {
            child.wait().unwrap();
        }
    }

    /// Sends a signal to a server that's running.
    pub fn signal(&self, node: usize, signal: Signal) {
        let child = self.nodes[node].child.as_ref().unwrap();
        let pid = Pid::from_raw(child.id() as i32);
        kill(pid, signal).unwrap();
        if signal == Signal::SIGSTOP {
            // Until it has stopped, it may still answer.
            waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        }
    }

    /// Starts a server that was killed, with the store that it had.
    pub fn restart(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let mut command = Command::new("nats-server");
        command.args(&node.arguments).stderr(Stdio::null());
        // If a consumer is removed while it's created, the server may write the consumer's files to its working directory.
        command.current_dir(self.folder.path());
        node.child = Some(command.spawn().expect("nats-server starts"));
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, node.port))
            .is_err()
        {
            assert!(Instant::now() < end, "nats-server doesn't answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.kill(node));
    }
}
