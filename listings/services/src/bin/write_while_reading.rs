//! Read the answers while you send the orders.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    time::{Duration, timeout},
};

// ANCHOR: send_all
const LIMIT: Duration = Duration::from_secs(60);
const LONGEST: u64 = 1024 * 1024;

/// Sends all orders, and returns one line for each of them, up to one
/// mebibyte. Fails after a minute, or if answers are missing. After an
/// error or a drop, the server may have received some of the orders.
async fn send_all(
    socket: impl AsyncRead + AsyncWrite,
    orders: &str,
) -> io::Result<String> {
    let (reader, mut writer) = split(socket);
    let writing = async {
        writer.write_all(orders.as_bytes()).await?;
        writer.shutdown().await
    };
    let reading = async {
        let mut answers = String::new();
        let mut reader = reader.take(LONGEST + 1);
        match reader.read_to_string(&mut answers).await? {
            length if length as u64 > LONGEST => {
                Err(io::ErrorKind::FileTooLarge.into())
            }
            _ => Ok(answers),
        }
    };
    let both = async { tokio::try_join!(writing, reading) };
    let ((), answers) = timeout(LIMIT, both).await??;
    // EOF ends the connection, but answers may still be missing.
    if answers.matches('\n').count() != orders.lines().count() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answers)
}
// ANCHOR_END: send_all

use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, duplex};

/// Answers every order before it reads the next one.
async fn answer_each(socket: DuplexStream) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut orders = BufReader::new(reader).lines();
    while let Some(order) = orders.next_line().await? {
        writer.write_all(format!("ok, {order}\n").as_bytes()).await?;
    }
    writer.shutdown().await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = "order\n".repeat(1000);
    let (client, server) = duplex(1024);
    let (answers, _) =
        tokio::join!(send_all(client, &orders), answer_each(server));
    match answers {
        Ok(answers) => println!("{} answers", answers.lines().count()),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{join, repeat, sink};

    use super::*;

    async fn talked(
        orders: &str,
        pause: Duration,
    ) -> io::Result<String> {
        let (client, server) = duplex(1024);
        let client = Slow::new(client, pause);
        let (answers, _) =
            tokio::join!(send_all(client, orders), answer_each(server));
        answers
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reading_is_no_deadlock() {
        let orders = "order\n".repeat(1000);
        let answers = talked(&orders, Duration::from_millis(10)).await;
        assert_eq!(answers.expect("in time").lines().count(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_limited() {
        let sent = within(HOUR, send_all(Silent, "order\n")).await;
        let error = sent.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_answers_is_limited() {
        let socket = join(repeat(b'x'), sink());
        let error = send_all(socket, "order\n").await;
        let error = error.expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_either_half_is_returned() {
        for good in 0..2 {
            let socket = join(Silent, Failing::after(sink(), good));
            send_all(socket, "o").await.expect_err("writing fails");
            let reader = Failing::after(&b"ok"[..], good);
            let socket = join(reader, sink());
            send_all(socket, "o").await.expect_err("reading fails");
        }
    }

    /// The server reads all orders, and crashes before an answer or in
    /// the middle of one.
    #[tokio::test(start_paused = true)]
    async fn failure_an_early_end_is_no_complete_answer() {
        for cut in ["", "ok", "ok, a\n", "ok, a\nok, b"] {
            let socket = join(cut.as_bytes(), sink());
            let sent = send_all(socket, "a\nb\n").await;
            let error = sent.expect_err("answers are missing");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_none_one_and_a_last_line_without_an_end() {
        for (orders, answers) in
            [("", ""), ("order\n", "ok, order\n"), ("ä", "ok, ä\n")]
        {
            let got = talked(orders, Duration::ZERO).await;
            assert_eq!(got.expect("in time"), answers);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        at_every_poll(async |cancel| {
            let (client, server) = duplex(4);
            let sending = cancel.run(send_all(client, "a\nb\nc\n"));
            let both = async {
                let (_, _) = tokio::join!(sending, answer_each(server));
            };
            within(HOUR, both).await;
        })
        .await;
    }
}
