//! A clone is the same token. A child is a branch.

// ANCHOR: tree
use tokio_util::sync::CancellationToken;

/// A service with an API and an importer, which has two workers.
struct Tokens {
    service: CancellationToken,
    api: CancellationToken,
    importer: CancellationToken,
    workers: [CancellationToken; 2],
}

impl Tokens {
    fn new() -> Self {
        let service = CancellationToken::new();
        let importer = service.child_token();
        Self {
            api: service.child_token(),
            workers: [importer.child_token(), importer.clone()],
            importer,
            service,
        }
    }

    fn stopped(&self) -> Vec<&'static str> {
        let all = [
            ("service", &self.service),
            ("api", &self.api),
            ("importer", &self.importer),
            ("worker with a child", &self.workers[0]),
            ("worker with a clone", &self.workers[1]),
        ];
        let stopped = all.iter().filter(|(_, it)| it.is_cancelled());
        stopped.map(|(name, _)| *name).collect()
    }
}
// ANCHOR_END: tree

// ANCHOR: stop
fn stop(which: fn(&Tokens) -> &CancellationToken) -> String {
    let tokens = Tokens::new();
    which(&tokens).cancel();
    tokens.stopped().join(", ")
}

fn main() {
    println!("importer: {}", stop(|it| &it.importer));
    println!("child:    {}", stop(|it| &it.workers[0]));
    println!("clone:    {}", stop(|it| &it.workers[1]));
    println!("service:  {}", stop(|it| &it.service));
}
// ANCHOR_END: stop

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_alone() {
        let stopped = stop(|it| &it.workers[0]);
        assert_eq!(stopped, "worker with a child");
    }

    #[test]
    fn a_clone_stops_the_branch() {
        assert_eq!(stop(|it| &it.workers[1]), stop(|it| &it.importer));
        assert!(!stop(|it| &it.importer).contains("api"));
    }

    #[test]
    fn the_root_stops_all() {
        assert_eq!(stop(|it| &it.service).split(", ").count(), 5);
    }
}
