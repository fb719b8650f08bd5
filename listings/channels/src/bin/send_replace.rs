//! `send_replace` stores the state even without a receiver.

// ANCHOR: elect
use tokio::sync::watch;

/// Sets the leader. The other nodes look it up when they need it.
fn elect(leader: &watch::Sender<&'static str>, name: &'static str) {
    // Returns the previous value, and needs no receiver.
    let before = leader.send_replace(name);
    println!("before that, it was {before}");
}
// ANCHOR_END: elect

/// Who is the leader, for a node that looks after the election?
fn run() -> &'static str {
    let (leader, _) = watch::channel("nobody");
    elect(&leader, "node 2");
    *leader.subscribe().borrow()
}

fn main() {
    println!("the leader is {}", run());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_an_election_without_a_listener() {
        assert_eq!(run(), "node 2");
    }

    #[test]
    fn again_the_newest_election_counts() {
        let (leader, _) = watch::channel("nobody");
        for name in ["node 1", "node 2", "node 2"] {
            elect(&leader, name);
        }
        assert_eq!(*leader.subscribe().borrow(), "node 2");
    }

    #[test]
    fn slow_listeners_see_the_newest() {
        let (leader, mut node) = watch::channel("nobody");
        elect(&leader, "node 1");
        elect(&leader, "node 2");
        assert_eq!(*node.borrow_and_update(), "node 2");
    }
}
