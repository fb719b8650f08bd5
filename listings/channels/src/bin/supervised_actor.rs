//! An actor that panicked is started again, with an empty state.

// ANCHOR: supervise
use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::{Duration, sleep},
};

/// Runs the actor until its clients have gone, and starts it again
/// when it panics. Returns how many times it was started.
///
/// The inbox outlives the actor: a question that waits in it is
/// answered by the next one. The question at which it panicked is
/// lost, and whoever asked is told by the `oneshot`.
async fn supervise(inbox: mpsc::Receiver<Question>) -> u32 {
    let inbox = Arc::new(Mutex::new(inbox));
    let mut starts = 0;
    loop {
        starts += 1;
        // A task of its own, so that its panic is a result here.
        let actor = tokio::spawn(answer_all(Arc::clone(&inbox)));
        match actor.await {
            Ok(()) => return starts,
            Err(error) => println!("supervisor: {error}"),
        }
        // One that panics at once must not use a whole core.
        sleep(Duration::from_millis(100)).await;
    }
}
// ANCHOR_END: supervise

type Question = (u32, oneshot::Sender<u32>);

/// Answers how many units each of ten customers gets.
async fn answer_all(inbox: Arc<Mutex<mpsc::Receiver<Question>>>) {
    // Held for good: there is one actor at a time.
    let mut inbox = inbox.lock().await;
    let mut answered = 0;
    while let Some((customers, answer)) = inbox.recv().await {
        let units = 100 / customers;
        answered += 1;
        println!("actor: answer {answered} of this run");
        // Fails where nobody waits.
        let _ = answer.send(units);
    }
}

async fn ask(inbox: &mpsc::Sender<Question>, customers: u32) -> String {
    let (answer, answered) = oneshot::channel();
    if inbox.send((customers, answer)).await.is_err() {
        return "nobody answers any more".into();
    }
    match answered.await {
        Ok(units) => format!("{units} units each"),
        Err(_) => "no answer: it panicked".into(),
    }
}

async fn run() -> (Vec<String>, u32) {
    let (inbox, questions) = mpsc::channel(8);
    let supervisor = tokio::spawn(supervise(questions));
    let mut answers = Vec::new();
    for customers in [4, 5, 0, 10] {
        answers.push(ask(&inbox, customers).await);
    }
    drop(inbox);
    (answers, supervisor.await.expect("it does not panic"))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let (answers, starts) = run().await;
    for answer in answers {
        println!("{answer}");
    }
    println!("started {starts} times");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_question_at_which_it_panicked_is_lost() {
        let (answers, starts) = run().await;
        assert_eq!(starts, 2);
        assert_eq!(answers[2], "no answer: it panicked");
        assert_eq!(answers[3], "10 units each");
    }
}
