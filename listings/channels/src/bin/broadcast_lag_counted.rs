//! Record how many changes were missed, and keep reading.

// ANCHOR: archive
use tokio::sync::broadcast::{self, error::RecvError};

/// Archives every change, and how many were missed before it, until
/// the last sender is dropped.
async fn archive(
    mut changes: broadcast::Receiver<u32>,
    archived: &mut Vec<Entry>,
) {
    loop {
        match changes.recv().await {
            Ok(change) => archived.push(Entry::Change(change)),
            Err(RecvError::Lagged(missed)) => {
                archived.push(Entry::Missed(missed));
            }
            Err(RecvError::Closed) => return,
        }
    }
}
// ANCHOR_END: archive

#[derive(Debug, PartialEq)]
enum Entry {
    Change(u32),
    Missed(u64),
}

/// Ten changes together, and one in each of the next two seconds.
async fn run() -> Vec<Entry> {
    let (sender, changes) = broadcast::channel(4);
    let mut archived = Vec::new();
    let send = async {
        for change in 1..=12 {
            // Fails if nobody listens.
            _ = sender.send(change);
            if change >= 10 {
                let second = std::time::Duration::from_secs(1);
                tokio::time::sleep(second).await;
            }
        }
        drop(sender);
    };
    tokio::join!(send, archive(changes, &mut archived));
    archived
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("sent:     1 to 12");
    for entry in run().await {
        println!("archived: {entry:?}");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn count(archived: &[Entry]) -> u64 {
        let counts = archived.iter().map(|entry| match entry {
            Entry::Change(_) => 1,
            Entry::Missed(missed) => *missed,
        });
        counts.sum()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_archive_after_a_lag() {
        let archived = within(HOUR, run()).await;
        assert_eq!(archived[0], Entry::Missed(6));
        assert_eq!(archived[1], Entry::Change(7));
        assert_eq!(archived.len(), 1 + 6);
        assert_eq!(count(&archived), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_keeps_what_was_archived() {
        at_every_poll(async |cancel| {
            let (sender, changes) = broadcast::channel(4);
            let mut rest = changes.resubscribe();
            let mut archived = Vec::new();
            sender.send(1).expect("two listen");
            let archive = archive(changes, &mut archived);
            let send = async {
                sender.send(2).expect("one listens");
                drop(sender);
            };
            tokio::join!(cancel.run(archive), send);
            let seen = archived.len() as u32;
            let expected = (1..=seen).map(Entry::Change);
            assert!(archived.into_iter().eq(expected));
            assert_eq!(rest.recv().await, Ok(1));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_change_and_room_for_one() {
        let (sender, changes) = broadcast::channel(1);
        drop(sender);
        let mut archived = Vec::new();
        archive(changes, &mut archived).await;
        assert!(archived.is_empty());
        let (sender, changes) = broadcast::channel(1);
        for change in 1..=1000 {
            sender.send(change).expect("one listens");
        }
        drop(sender);
        archive(changes, &mut archived).await;
        assert_eq!(archived, [Entry::Missed(999), Entry::Change(1000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_it_after_the_last_change() {
        let (sender, changes) = broadcast::channel(4);
        sender.send(1).expect("one listens");
        drop(sender);
        let mut archived = Vec::new();
        within(HOUR, archive(changes, &mut archived)).await;
        assert_eq!(archived, [Entry::Change(1)]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_count_every_change_or_miss_it() {
        for _ in 0..50 {
            let (sender, changes) = broadcast::channel(4);
            let archiving = tokio::spawn(async move {
                let mut archived = Vec::new();
                archive(changes, &mut archived).await;
                archived
            });
            for change in 0..1000 {
                _ = sender.send(change);
            }
            drop(sender);
            let archived = archiving.await.expect("no panic");
            assert_eq!(count(&archived), 1000);
        }
    }
}
