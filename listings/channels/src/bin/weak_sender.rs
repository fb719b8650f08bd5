//! A task that sends to itself, but whose channel still closes.

// ANCHOR: reminders
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Duration, sleep},
};

/// Writes notes down. A note that can't be written yet is sent to the
/// same queue again, a second later. Its own `Sender` would keep that
/// queue open forever. If this is dropped, so are the notes.
async fn keep_notes(
    mut notes: mpsc::Receiver<Note>,
    again: mpsc::WeakSender<Note>,
) -> Vec<&'static str> {
    let mut written = Vec::new();
    let mut postponed = JoinSet::new();
    while let Some(note) = notes.recv().await {
        while postponed.try_join_next().is_some() {}
        if note.is_ready {
            written.push(note.text);
            continue;
        }
        let note = Note { is_ready: true, ..note };
        match again.upgrade() {
            Some(again) if postponed.len() < MOST => {
                postponed.spawn(async move {
                    sleep(Duration::from_secs(1)).await;
                    // Fails if `keep_notes` was dropped.
                    _ = again.send(note).await;
                });
            }
            // All clients were dropped, or too many notes wait already:
            // wait for this note here.
            _ => {
                sleep(Duration::from_secs(1)).await;
                written.push(note.text);
            }
        }
    }
    written
}
// ANCHOR_END: reminders

/// So many notes are postponed at a time.
const MOST: usize = 100;

struct Note {
    text: &'static str,
    is_ready: bool,
}

/// Two notes, of which the first isn't ready yet.
async fn client(queue: mpsc::Sender<Note>) {
    for (text, is_ready) in [("rent", false), ("tea", true)] {
        let note = Note { text, is_ready };
        queue.send(note).await.expect("somebody keeps notes");
    }
    sleep(Duration::from_millis(100)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, notes) = mpsc::channel(8);
    let again = queue.downgrade();
    let (written, ()) =
        tokio::join!(keep_notes(notes, again), client(queue));
    println!("written: {written:?}");
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, no_task_left, within};
    use tokio::time::Instant;

    use super::*;

    /// This many notes; all clients are dropped before the first is read.
    fn left_behind(
        count: usize,
    ) -> (mpsc::Receiver<Note>, mpsc::WeakSender<Note>) {
        let (queue, notes) = mpsc::channel(1000);
        for _ in 0..count {
            let note = Note { text: "rent", is_ready: false };
            queue.try_send(note).unwrap_or_else(|_| panic!("room"));
        }
        (notes, queue.downgrade())
    }

    #[tokio::test(start_paused = true)]
    async fn stop_writes_what_was_postponed() {
        let (queue, notes) = mpsc::channel(8);
        let again = queue.downgrade();
        let (written, ()) =
            tokio::join!(keep_notes(notes, again), client(queue));
        assert_eq!(written, ["tea", "rent"]);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_clients_lose_no_note() {
        for count in [0, 1, 5] {
            let (notes, again) = left_behind(count);
            let written = within(HOUR, keep_notes(notes, again)).await;
            assert_eq!(written.len(), count);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_postpones_no_more_than_a_hundred() {
        let (queue, notes) = mpsc::channel(8);
        let again = queue.downgrade();
        let keeping = tokio::spawn(keep_notes(notes, again));
        let mut most = 0;
        for _ in 0..250 {
            let note = Note { text: "rent", is_ready: false };
            assert!(queue.send(note).await.is_ok());
            let metrics = tokio::runtime::Handle::current().metrics();
            most = most.max(metrics.num_alive_tasks());
        }
        drop(queue);
        let written = within(HOUR, keeping).await.expect("no panic");
        assert_eq!(written.len(), 250);
        assert!(most <= MOST + 1, "{most}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        hazards::at_every_poll(async |cancel| {
            let (queue, notes) = mpsc::channel(8);
            let again = queue.downgrade();
            let run = async {
                tokio::join!(keep_notes(notes, again), client(queue))
            };
            cancel.run(run).await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_room_for_one() {
        let (queue, notes) = mpsc::channel(1);
        let again = queue.downgrade();
        let (written, ()) =
            tokio::join!(keep_notes(notes, again), client(queue));
        assert_eq!(written, ["tea", "rent"]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_clients_do_not_delay_a_postponed_note() {
        let (queue, notes) = mpsc::channel(8);
        let again = queue.downgrade();
        let start = Instant::now();
        let keeping = tokio::spawn(keep_notes(notes, again));
        let note = Note { text: "rent", is_ready: false };
        assert!(queue.send(note).await.is_ok());
        sleep(HOUR).await;
        drop(queue);
        assert_eq!(keeping.await.expect("no panic"), ["rent"]);
        assert_eq!(start.elapsed(), HOUR);
    }
}
