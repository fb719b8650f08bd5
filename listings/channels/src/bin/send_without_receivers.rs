//! Wrong: there is no receiver yet, so the new state is discarded.

// ANCHOR: wrong
use tokio::sync::watch;

/// Sets the leader. The other nodes look it up when they need it.
fn elect(leader: &watch::Sender<&'static str>, name: &'static str) {
    // Wrong: if there is no receiver, `send` stores nothing.
    if leader.send(name).is_err() {
        println!("nobody listens yet");
    }
}
// ANCHOR_END: wrong

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
        assert_eq!(run(), "nobody");
    }
}
