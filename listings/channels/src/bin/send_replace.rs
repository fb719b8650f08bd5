//! The state is kept, whether anybody listens or not.

// ANCHOR: elect
use tokio::sync::watch;

/// Sets the leader. The others ask for it when they need it.
fn elect(leader: &watch::Sender<&'static str>, name: &'static str) {
    // Returns the value before, and needs no receiver.
    let before = leader.send_replace(name);
    println!("before, it was {before}");
}
// ANCHOR_END: elect

/// Who is the leader, for one that asks after the election?
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
    fn the_election_counts() {
        assert_eq!(run(), "node 2");
    }
}
