//! Close the queue first, then empty it, within a grace period.

// ANCHOR: send_mail
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// Sends mail until `stop` is sent or dropped, and then the accepted
/// mail. Returns within `GRACE + 2 * LIMIT` after the stop.
async fn send_mail(
    mut queue: mpsc::Receiver<Mail>,
    mut stop: oneshot::Receiver<()>,
) -> Report {
    let mut report = Report::default();
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            mail = queue.recv() => match mail {
                Some(mail) => report.deliver(mail).await,
                None => return report,
            },
        }
    }
    queue.close(); // From here on, `send` fails.
    let mut grace = std::pin::pin!(sleep(GRACE));
    loop {
        tokio::select! {
            biased;
            () = &mut grace => break, // First, so that it wins.
            mail = queue.recv() => match mail {
                Some(mail) => report.deliver(mail).await,
                None => return report,
            },
        }
    }
    while let Ok(mail) = queue.try_recv() {
        report.unsent.push(mail);
    }
    report.promised = queue.max_capacity() - queue.capacity();
    report
}
// ANCHOR_END: send_mail

// ANCHOR: report
const GRACE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(2);

/// What happened to the accepted emails.
#[derive(Debug, Default)]
struct Report {
    /// How many emails were sent. (A list would grow for months.)
    sent: u64,
    /// There was no time for these, or their delivery panicked or
    /// took too long: such an email may have been sent.
    unsent: Vec<Mail>,
    /// Slots that senders still hold after the grace period. An email
    /// that is sent with such a permit is lost.
    promised: usize,
}

impl Report {
    async fn deliver(&mut self, mail: Mail) {
        // Dropped inside, so that a panic in `drop` is caught as well.
        let delivery = async { timeout(LIMIT, mail.deliver()).await };
        match AssertUnwindSafe(delivery).catch_unwind().await {
            Ok(Ok(())) => self.sent += 1,
            Ok(Err(_)) | Err(_) => self.unsent.push(mail),
        }
    }
}
// ANCHOR_END: report

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::{Duration, timeout};

#[derive(Clone, Debug, PartialEq)]
struct Mail {
    subject: &'static str,
    takes: Duration,
}

impl Mail {
    async fn deliver(&self) {
        let _connection = Connection(self);
        sleep(self.takes).await;
        assert_ne!(self.subject, "broken", "the mail is broken");
    }
}

struct Connection<'a>(&'a Mail);

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        assert_ne!(self.0.subject, "stuck", "it can't be closed");
    }
}

/// Four mails are accepted, and the stop comes after 150 ms.
async fn run() -> Report {
    let (mails, queue) = mpsc::channel(8);
    let (stop, stopped) = oneshot::channel();
    let sending = tokio::spawn(send_mail(queue, stopped));
    for subject in ["welcome", "invoice", "receipt", "survey"] {
        let mail = Mail { subject, takes: Duration::from_millis(100) };
        mails.send(mail).await.expect("it's accepted");
    }
    sleep(Duration::from_millis(150)).await;
    // Fails only if it has ended already.
    _ = stop.send(());
    sending.await.expect("it doesn't panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let report = run().await;
    println!("sent:   {}", report.sent);
    println!("unsent: {}", report.unsent.len());
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::time::Instant;

    use super::*;

    fn mails(count: usize, takes: Duration) -> mpsc::Receiver<Mail> {
        let (queue, mails) = mpsc::channel(100);
        for _ in 0..count {
            let mail = Mail { subject: "welcome", takes };
            queue.try_send(mail).expect("there is room");
        }
        mails
    }

    fn stopped() -> oneshot::Receiver<()> {
        oneshot::channel().1
    }

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_the_queue() {
        let report = run().await;
        assert_eq!(report.sent, 4);
        assert!(report.unsent.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_reports_what_is_left_after_the_grace_period() {
        let start = Instant::now();
        let queue = mails(20, Duration::from_secs(1));
        let report = send_mail(queue, stopped()).await;
        assert_eq!(report.sent, 5);
        assert_eq!(report.unsent.len(), 15);
        assert_eq!(start.elapsed(), GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_delivery_leaves_the_others() {
        for panics in some_panic(9) {
            let (queue, receiver) = mpsc::channel(9);
            for mail in 0..9 {
                let is_broken = panics.contains(&mail);
                let subject = if is_broken { "broken" } else { "" };
                let mail = Mail { subject, takes: Duration::ZERO };
                queue.try_send(mail).expect("there is room");
            }
            let report = send_mail(receiver, stopped()).await;
            assert_eq!(report.unsent.len(), panics.len());
            assert_eq!(report.sent, 9 - panics.len() as u64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_leaves_the_others() {
        let (queue, receiver) = mpsc::channel(3);
        for (subject, takes) in [
            ("stuck", HOUR),
            ("stuck", Duration::ZERO),
            ("", LIMIT / 2),
        ] {
            let mail = Mail { subject, takes };
            queue.try_send(mail).expect("there is room");
        }
        let report = within(HOUR, send_mail(receiver, stopped())).await;
        assert_eq!((report.unsent.len(), report.sent), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_mail_server() {
        let start = Instant::now();
        let queue = mails(20, 2 * HOUR);
        let sent = within(HOUR, send_mail(queue, stopped())).await;
        assert_eq!(sent.sent, 0);
        assert_eq!(sent.unsent.len(), 20);
        assert!(start.elapsed() <= GRACE + LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_during_a_slow_delivery_is_bounded() {
        let takes = LIMIT - Duration::from_millis(1);
        let (stop, stopped) = oneshot::channel();
        let sending =
            tokio::spawn(send_mail(mails(20, takes), stopped));
        sleep(Duration::from_millis(1)).await;
        stop.send(()).expect("it listens");
        let start = Instant::now();
        let report = within(HOUR, sending).await.expect("no panic");
        assert!(start.elapsed() <= GRACE + 2 * LIMIT);
        assert_eq!(report.sent as usize + report.unsent.len(), 20);
    }

    /// A sender with a permit was promised a place.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_sender_with_a_permit() {
        let (queue, receiver) = mpsc::channel(8);
        let room = queue.reserve().await.expect("it's open");
        let start = Instant::now();
        let report = within(HOUR, send_mail(receiver, stopped())).await;
        assert_eq!(start.elapsed(), GRACE);
        assert_eq!(report.promised, 1);
        drop(room);
        // A permit that was dropped or used in time isn't reported.
        let (queue, receiver) = mpsc::channel(8);
        let used = queue.reserve().await.expect("it's open");
        let unused = queue.reserve().await.expect("it's open");
        let sending = tokio::spawn(send_mail(receiver, stopped()));
        queue.closed().await;
        let takes = Duration::ZERO;
        used.send(Mail { subject: "welcome", takes });
        drop(unused);
        let report = within(HOUR, sending).await.expect("no panic");
        assert_eq!((report.sent, report.promised), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_mails_are_sent_while_the_grace_period_lasts() {
        let queue = mails(3, Duration::from_millis(1900));
        let report = send_mail(queue, stopped()).await;
        assert_eq!(report.sent, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_after_the_stop() {
        let (mails, queue) = mpsc::channel(8);
        let sending = tokio::spawn(send_mail(queue, stopped()));
        mails.closed().await;
        for _ in 0..17 {
            let takes = Duration::ZERO;
            let mail = Mail { subject: "too late", takes };
            assert!(mails.send(mail).await.is_err());
        }
        assert_eq!(sending.await.expect("no panic").sent, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_mail() {
        let report = send_mail(mails(0, GRACE), stopped()).await;
        assert!(report.sent == 0 && report.unsent.is_empty());
        let (_stop, stopped) = oneshot::channel();
        let queue = mails(2, LIMIT / 2);
        let report = within(HOUR, send_mail(queue, stopped)).await;
        assert_eq!(report.sent, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_queue() {
        at_every_poll(async |cancel| {
            let (queue, receiver) = mpsc::channel(8);
            let takes = Duration::from_millis(100);
            for _ in 0..3 {
                let mail = Mail { subject: "welcome", takes };
                queue.try_send(mail).expect("there is room");
            }
            cancel.run(send_mail(receiver, stopped())).await;
            assert!(queue.is_closed());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_is_a_stop() {
        let (stop, stopped) = oneshot::channel();
        let queue = mails(2, LIMIT / 2);
        let sending = tokio::spawn(send_mail(queue, stopped));
        drop(stop);
        assert_eq!(sending.await.expect("no panic").sent, 2);
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_lose_no_accepted_mail() {
        for _ in 0..200 {
            let (mails, queue) = mpsc::channel(4);
            let (stop, stopped) = oneshot::channel();
            let sending = tokio::spawn(send_mail(queue, stopped));
            let mut senders = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let mails = mails.clone();
                senders.spawn(async move {
                    let mut accepted = 0;
                    let takes = Duration::ZERO;
                    let mail = Mail { subject: "welcome", takes };
                    for _ in 0..20 {
                        let sent = mails.send(mail.clone()).await;
                        accepted += usize::from(sent.is_ok());
                    }
                    accepted
                });
            }
            tokio::task::yield_now().await;
            drop(stop);
            let accepted: usize =
                senders.join_all().await.into_iter().sum();
            let report = sending.await.expect("no panic");
            let known = report.sent as usize + report.unsent.len();
            assert_eq!(known, accepted);
        }
    }
}
