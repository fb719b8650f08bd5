//! Test a session with a peer that follows a script.

// ANCHOR: session
use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite},
    io::{AsyncWriteExt, BufReader, split},
    time::{Duration, timeout},
};

/// The limits of a whole session, and of a line's bytes.
const LIMIT: Duration = Duration::from_secs(5);
const LONGEST: u64 = 100;

/// Reads one order from a client, and confirms it. After an error,
/// the client may still have received the confirmation.
///
/// `S` is a `TcpStream` in production. Nothing else is generic.
async fn take_order<S>(client: S) -> io::Result<u32>
where
    S: AsyncRead + AsyncWrite,
{
    let (read, mut write) = split(client);
    let session = async {
        let mut line = String::new();
        let mut read = BufReader::new(read.take(LONGEST));
        read.read_line(&mut line).await?;
        // Without a line ending, the line was cut off or is too long.
        let order = line
            .strip_suffix('\n')
            .and_then(|line| line.strip_prefix("order ")?.parse().ok());
        let order = order.ok_or_else(|| {
            let error = format!("{line:?} is no order");
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        write.write_all(b"accepted\n").await?;
        write.flush().await?;
        Ok(order)
    };
    timeout(LIMIT, session).await?
}
// ANCHOR_END: session

// ANCHOR: scripts
use tokio_test::io::Builder;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let second = Duration::from_secs(1);
    let in_pieces = Builder::new()
        .read(b"ord")
        .wait(second)
        .read(b"er 17\n")
        .write(b"accepted\n")
        .build();
    println!("in pieces: {:?}", outcome(take_order(in_pieces).await));

    let slow = Builder::new().read(b"ord").wait(6 * second).build();
    println!("slow:      {:?}", outcome(take_order(slow).await));

    let reset = io::ErrorKind::ConnectionReset;
    let breaks = Builder::new()
        .read(b"order 17\n")
        .write_error(reset.into())
        .build();
    println!("breaks:    {:?}", outcome(take_order(breaks).await));
}
// ANCHOR_END: scripts

fn outcome(taken: io::Result<u32>) -> Result<u32, io::ErrorKind> {
    taken.map_err(|error| error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_no_order_is_no_order() {
        // A number, but on a line that is too long.
        let long = [b"order ", &[b'0'; 94][..], b"7\n"].concat();
        for line in [
            b"".as_slice(),
            b"order x\n",
            b"order \n",
            b"17\n",
            b"order 4294967296\n",
            // Cut off in the middle of `order 17`.
            b"order 1",
            b"ord\xc3\xa4r 1\n",
        ] {
            let client = Builder::new().read(line).build();
            let taken = outcome(take_order(client).await);
            assert_eq!(taken, Err(io::ErrorKind::InvalidData));
        }
        let client = tokio::io::join(&long[..], tokio::io::sink());
        let taken = outcome(take_order(client).await);
        assert_eq!(taken, Err(io::ErrorKind::InvalidData));
    }

    #[tokio::test]
    #[should_panic(expected = "still data left to read")]
    async fn the_script_must_be_read_to_its_end() {
        let mut client = Builder::new().read(b"order 17\n").build();
        client.read_u8().await.expect("there is a byte");
    }

    /// A gap in the mock, see <https://github.com/tokio-rs/tokio/issues/8329>.
    #[tokio::test(start_paused = true)]
    async fn a_write_hangs_while_there_is_something_to_read() {
        let mut client = Builder::new().read(b"order 17\n").build();
        let write = client.write_all(b"accepted\n");
        assert!(timeout(LIMIT, write).await.is_err());
        let read = client.read_exact(&mut [0; 9]).await;
        assert_eq!(read.ok(), Some(9));
    }

    #[tokio::test]
    async fn a_write_may_come_before_the_reads() {
        let mut client = Builder::new()
            .read(b"order 17\n")
            .write(b"accepted\n")
            .build();
        client.write_all(b"accepted\n").await.expect("too early");
        let read = client.read_exact(&mut [0; 9]).await;
        assert_eq!(read.ok(), Some(9));
    }

    #[tokio::test]
    async fn failure_names_what_was_read() {
        let client = Builder::new().read(b"order x\n").build();
        let error = take_order(client).await.expect_err("no order");
        assert_eq!(error.to_string(), r#""order x\n" is no order"#);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_has_five_seconds_for_all_of_it() {
        let client = Builder::new()
            .wait(Duration::from_secs(4))
            .read(b"order 17\n")
            .write(b"accepted\n")
            .build();
        assert_eq!(outcome(take_order(client).await), Ok(17));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_of_a_buffered_stream() {
        let (mut here, there) = tokio::io::duplex(64);
        let there = tokio::io::BufStream::new(there);
        let client = async {
            here.write_all(b"order 17\n").await?;
            let mut read = String::new();
            here.read_to_string(&mut read).await?;
            io::Result::Ok(read)
        };
        let (read, taken) = tokio::join!(client, take_order(there));
        assert_eq!(outcome(taken), Ok(17));
        assert_eq!(read.expect("it is text"), "accepted\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_the_limit() {
        let session = take_order(hazards::Silent);
        let taken = hazards::within(hazards::HOUR, session).await;
        assert_eq!(outcome(taken), Err(io::ErrorKind::TimedOut));
        // A client that reads nothing.
        let (mut here, there) = tokio::io::duplex(8);
        let order = here.write_all(b"order 7\n");
        let (sent, taken) = tokio::join!(order, take_order(there));
        sent.expect("there is room");
        assert_eq!(outcome(taken), Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        hazards::at_every_poll(async |cancel| {
            let (mut here, there) = tokio::io::duplex(4);
            let client = async {
                here.write_all(b"order 17\n").await?;
                let mut read = String::new();
                here.read_to_string(&mut read).await?;
                io::Result::Ok(read)
            };
            let session = async {
                cancel.run(take_order(there)).await.map(outcome)
            };
            let both = async { tokio::join!(client, session) };
            let (read, taken) = hazards::within(LIMIT, both).await;
            assert!(taken.is_none_or(|taken| taken == Ok(17)));
            let is_confirmed = read.is_ok_and(|it| it == "accepted\n");
            assert!(taken.is_none() || is_confirmed);
        })
        .await;
    }

    // ANCHOR: panics
    #[tokio::test]
    #[should_panic(expected = "name=client 7")]
    async fn what_is_written_must_be_in_the_script() {
        let client = Builder::new()
            .name("client 7")
            .read(b"order 17\n")
            .write(b"refused\n")
            .build();
        let _ = take_order(client).await;
    }

    #[tokio::test]
    #[should_panic(expected = "still data left to write")]
    async fn the_script_must_be_played_to_its_end() {
        let client = Builder::new()
            .read(b"nonsense\n")
            .write(b"refused\n")
            .build();
        let _ = take_order(client).await;
    }
    // ANCHOR_END: panics
}
