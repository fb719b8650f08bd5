//! A task that sends to itself, and ends when its clients have gone.

// ANCHOR: reminders
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

/// Writes notes down. One that cannot be written at once is sent to
/// the same queue again, a second later.
///
/// A `Sender` of its own would keep the queue open forever. A weak
/// one does not count.
async fn keep_notes(
    mut notes: mpsc::Receiver<Note>,
    again: mpsc::WeakSender<Note>,
) -> Vec<&'static str> {
    let mut written = Vec::new();
    while let Some(note) = notes.recv().await {
        if note.is_ready {
            written.push(note.text);
            continue;
        }
        // `None`: all clients have gone, and nothing new is taken.
        if let Some(again) = again.upgrade() {
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                let note = Note { is_ready: true, ..note };
                // Fails only where nobody keeps notes any more.
                let _ = again.send(note).await;
            });
        }
    }
    written
}
// ANCHOR_END: reminders

struct Note {
    text: &'static str,
    is_ready: bool,
}

/// Two notes, of which the first is not ready yet.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_what_was_postponed() {
        let (queue, notes) = mpsc::channel(8);
        let again = queue.downgrade();
        let (written, ()) =
            tokio::join!(keep_notes(notes, again), client(queue));
        assert_eq!(written, ["tea", "rent"]);
    }

    #[tokio::test]
    async fn a_weak_sender_cannot_send_once_the_others_are_gone() {
        let (queue, _notes) = mpsc::channel::<Note>(8);
        let again = queue.downgrade();
        drop(queue);
        assert!(again.upgrade().is_none());
    }
}
