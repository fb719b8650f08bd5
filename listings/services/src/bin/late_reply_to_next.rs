//! Wrong: without ids, a late answer reaches the next caller.

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream},
    time::{Duration, timeout},
};

// ANCHOR: wrong
const LIMIT: Duration = Duration::from_secs(10);

struct Client {
    socket: BufReader<DuplexStream>,
}

impl Client {
    async fn ask(&mut self, product: &str) -> io::Result<String> {
        let asking = async {
            let line = format!("{product}\n");
            self.socket.write_all(line.as_bytes()).await?;
            let mut answer = String::new();
            self.socket.read_line(&mut answer).await?;
            Ok(answer)
        };
        // Wrong: the answer to this request is still to come.
        timeout(LIMIT, asking).await?
    }
}
// ANCHOR_END: wrong

use tokio::{
    io::{duplex, split},
    time::sleep,
};

/// The first answer takes longer than the client waits.
async fn serve(socket: DuplexStream) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut lines = BufReader::new(reader).lines();
    let mut pause = LIMIT * 11 / 10;
    while let Some(product) = lines.next_line().await? {
        sleep(pause).await;
        pause = Duration::ZERO;
        let answer = format!("{product} 5 euros\n");
        writer.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// Asks for tea and then for salt.
async fn answers() -> [io::Result<String>; 2] {
    let (ours, theirs) = duplex(1024);
    let ask = async move {
        let mut client = Client { socket: BufReader::new(ours) };
        [client.ask("tea").await, client.ask("salt").await]
    };
    tokio::join!(ask, serve(theirs)).0
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (product, answer) in ["tea", "salt"].iter().zip(answers().await)
    {
        match answer {
            Ok(answer) => print!("{product}: {answer}"),
            Err(error) => println!("{product}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_answers_reach_no_other_caller() {
        let [tea, salt] = answers().await;
        tea.expect_err("too late");
        // It's the answer for tea.
        assert_eq!(salt.expect("in time"), "tea 5 euros\n");
    }
}
