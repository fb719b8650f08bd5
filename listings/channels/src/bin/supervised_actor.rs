//! Restart an actor that panicked, with an empty state.

// ANCHOR: supervise
use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinError,
    time::{Duration, Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

const PAUSE: Duration = Duration::from_millis(100);
const CALM: Duration = Duration::from_secs(60);
const MOST: u32 = 5;

/// Runs the actor until the last client is dropped. Restarts it if it
/// panics, but gives up if five runs in a row last under a minute.
///
/// The next actor answers the questions in the inbox. The question that
/// caused the panic is lost. Dropping the future aborts the actor.
async fn supervise(
    inbox: mpsc::Receiver<Question>,
) -> Result<(), JoinError> {
    let inbox = Arc::new(Mutex::new(inbox));
    let mut panics = 0;
    loop {
        let started = Instant::now();
        let actor = tokio::spawn(answer_all(Arc::clone(&inbox)));
        let Err(error) = AbortOnDropHandle::new(actor).await else {
            return Ok(());
        };
        if started.elapsed() >= CALM {
            panics = 0;
        }
        panics += 1;
        log(format_args!("panic {panics} of {MOST}: {error}"));
        if panics == MOST {
            return Err(error);
        }
        sleep(PAUSE * 2_u32.pow(panics)).await;
    }
}
// ANCHOR_END: supervise

use std::{
    fmt,
    io::{self, Write as _},
};

/// If stdout is a closed pipe, `println!` panics, and that would end
/// the supervisor.
fn log(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "supervisor: {line}");
}

type Question = (u32, oneshot::Sender<u32>);

/// Answers how many units each of so many customers gets.
async fn answer_all(inbox: Arc<Mutex<mpsc::Receiver<Question>>>) {
    // Held for good: there is one actor at a time.
    let mut inbox = inbox.lock().await;
    let mut answered = 0;
    while let Some((customers, answer)) = inbox.recv().await {
        let units = 100 / customers;
        answered += 1;
        let told = format!("actor: answer {answered} of this run");
        let _ = writeln!(io::stdout(), "{told}");
        // Fails if nobody waits.
        _ = answer.send(units);
    }
}

async fn ask(inbox: &mpsc::Sender<Question>, customers: u32) -> String {
    let (answer, answered) = oneshot::channel();
    if inbox.send((customers, answer)).await.is_err() {
        return "nobody answers anymore".into();
    }
    let answer = tokio::select! {
        biased;
        answer = answered => answer.ok(),
        // A question can stay in an inbox that was closed.
        () = inbox.closed() => None,
    };
    match answer {
        Some(units) => format!("{units} units each"),
        None => "no answer: it panicked, or was stopped".into(),
    }
}

async fn run(questions: &[u32]) -> (Vec<String>, bool) {
    let (inbox, receiver) = mpsc::channel(8);
    let ask_all = async {
        let mut answers = Vec::new();
        for customers in questions {
            answers.push(ask(&inbox, *customers).await);
        }
        drop(inbox);
        answers
    };
    let (supervised, answers) =
        tokio::join!(supervise(receiver), ask_all);
    (answers, supervised.is_ok())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    std::panic::set_hook(Box::new(|_| ())); // The supervisor has it.
    let (answers, _) = run(&[4, 5, 0, 10]).await;
    for answer in answers {
        println!("{answer}");
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, no_task_left, within};

    use super::*;

    const GONE: &str = "nobody answers anymore";
    const LOST: &str = "no answer: it panicked, or was stopped";

    #[tokio::test(start_paused = true)]
    async fn panic_first_middle_and_last_loses_one_question() {
        for lost in [0, 2, 4] {
            let mut questions = [4, 5, 10, 20, 25];
            questions[lost] = 0;
            let (answers, is_ok) = run(&questions).await;
            assert!(is_ok);
            for (number, answer) in answers.iter().enumerate() {
                assert_eq!(answer == LOST, number == lost, "{answer}");
            }
        }
    }

    /// Runs in a child process whose parent has closed the stdout pipe.
    #[tokio::test]
    async fn a_supervisor_without_a_reader() {
        if !hazards::is_unread() {
            return; // This isn't the child process.
        }
        let (answers, _) = run(&[4, 0, 5]).await;
        let expected = ["25 units each", LOST, "20 units each"];
        std::process::exit(i32::from(answers != expected));
    }

    #[test]
    fn owner_gone_reader_of_stdout_ends_nothing() {
        let test = "a_supervisor_without_a_reader";
        hazards::succeeds_unread(module_path!(), test);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_at_every_question_ends_it() {
        let start = Instant::now();
        let (answers, is_ok) = run(&[0; 10]).await;
        assert!(!is_ok);
        assert_eq!(answers[..5], [LOST; 5]);
        // The sixth may still have found the inbox open.
        assert_eq!(answers[6..], [GONE; 4]);
        // It waited for 200, 400, 800, 1600 ms in between.
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn clock_forgives_after_a_minute() {
        let (inbox, receiver) = mpsc::channel(8);
        let supervisor = tokio::spawn(supervise(receiver));
        for _ in 0..20 {
            assert_eq!(ask(&inbox, 0).await, LOST);
            sleep(2 * CALM).await;
        }
        assert_eq!(ask(&inbox, 4).await, "25 units each");
        drop(inbox);
        let ended = within(HOUR, supervisor).await;
        assert!(ended.expect("it doesn't panic").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_actor() {
        let (inbox, receiver) = mpsc::channel(8);
        let supervisor = tokio::spawn(supervise(receiver));
        assert_eq!(ask(&inbox, 4).await, "25 units each");
        supervisor.abort();
        no_task_left().await;
        assert_eq!(ask(&inbox, 4).await, GONE);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_answered_in_the_end() {
        let (inbox, receiver) = mpsc::channel(8);
        let supervisor = tokio::spawn(supervise(receiver));
        let asked = (0..17).map(|number| ask(&inbox, number));
        let answers = join_all(asked).await;
        assert_eq!(answers[0], LOST);
        assert!(answers[1..].iter().all(|it| it.ends_with("each")));
        drop(inbox);
        assert!(within(HOUR, supervisor).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_answers_what_is_in_the_inbox() {
        let (inbox, receiver) = mpsc::channel(8);
        let mut answers = Vec::new();
        for customers in 1..=8 {
            let (answer, answered) = oneshot::channel();
            let sent = inbox.try_send((customers, answer));
            sent.expect("there is room");
            answers.push(answered);
        }
        drop(inbox);
        assert!(within(HOUR, supervise(receiver)).await.is_ok());
        for answer in answers {
            assert!(answer.await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_leaves_the_actor_at_work() {
        let (inbox, receiver) = mpsc::channel(8);
        let _owner =
            AbortOnDropHandle::new(tokio::spawn(supervise(receiver)));
        hazards::at_every_poll(async |cancel| {
            cancel.run(ask(&inbox, 4)).await;
            assert_eq!(ask(&inbox, 5).await, "20 units each");
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_question() {
        assert_eq!(run(&[]).await, (vec![], true));
    }
}
