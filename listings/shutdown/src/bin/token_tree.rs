//! A clone is the same token; a child can be canceled alone.

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
    fn stop_of_a_child_leaves_the_rest() {
        let stopped = stop(|it| &it.workers[0]);
        assert_eq!(stopped, "worker with a child");
    }

    #[test]
    fn stop_of_a_clone_stops_the_branch() {
        assert_eq!(stop(|it| &it.workers[1]), stop(|it| &it.importer));
        assert!(!stop(|it| &it.importer).contains("api"));
    }

    #[test]
    fn stop_of_the_root_stops_all() {
        assert_eq!(stop(|it| &it.service).split(", ").count(), 5);
    }

    #[test]
    fn again_a_second_cancel_changes_nothing() {
        let tokens = Tokens::new();
        tokens.importer.cancel();
        tokens.importer.cancel();
        assert!(!tokens.service.is_cancelled());
    }

    /// A child of a token that is canceled is canceled from its start.
    #[test]
    fn edges_a_child_that_comes_late() {
        let tokens = Tokens::new();
        tokens.importer.cancel();
        assert!(tokens.importer.child_token().is_cancelled());
        assert!(!tokens.service.child_token().is_cancelled());
    }

    /// A dropped parent cancels nothing: its child is on its own.
    #[test]
    fn owner_gone_cancels_nothing() {
        let parent = CancellationToken::new();
        let child = parent.child_token();
        drop(parent);
        assert!(!child.is_cancelled());
        child.cancel();
        assert!(child.is_cancelled());
    }

    #[test]
    fn threads_that_make_children_during_the_cancel() {
        for _ in 0..200 {
            let tokens = Tokens::new();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let child = tokens.importer.child_token();
                        while !child.is_cancelled() {
                            std::thread::yield_now();
                        }
                    });
                }
                tokens.service.cancel();
            });
        }
    }
}
