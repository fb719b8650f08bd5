//! Wrong: nobody listens yet, and the new state is thrown away.

// ANCHOR: wrong
use tokio::sync::watch;

/// Sets the leader. The others ask for it when they need it.
fn elect(leader: &watch::Sender<&'static str>, name: &'static str) {
    // Wrong: without a receiver, `send` stores nothing.
    if leader.send(name).is_err() {
        println!("nobody listens yet");
    }
}
// ANCHOR_END: wrong

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
    fn the_election_is_lost() {
        assert_eq!(run(), "nobody");
    }
}
