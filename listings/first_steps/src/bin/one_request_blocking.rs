//! Send one request without async: the standard library's socket, with a
//! limit for the whole exchange.

// ANCHOR: ask
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Asks a weather station for a reading. The thread waits for the
/// answer, which must be complete before the limit is over.
fn reading_of(
    place: &str,
    station: SocketAddr,
    limit: Duration,
) -> io::Result<String> {
    let question = question(place)?;
    let start = Instant::now();
    let left = || match limit.saturating_sub(start.elapsed()) {
        Duration::ZERO => Err(io::Error::from(ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut station = TcpStream::connect_timeout(&station, left()?)?;
    station.set_write_timeout(Some(left()?))?;
    station.write_all(question.as_bytes())?;

    let mut answer = Vec::new();
    let mut part = [0; 64];
    while !answer.contains(&b'\n') && answer.len() < LONGEST {
        station.set_read_timeout(Some(left()?))?;
        match station.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => answer.extend_from_slice(&part[..n]),
            // On Unix, this is how a read reports its timeout.
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // A signal came.
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    first_line(&answer)
}
// ANCHOR_END: ask

/// In bytes, with the `\n`.
const LONGEST: usize = 200;

/// The question, if the place is one short line, which fits into the
/// socket's buffer.
fn question(place: &str) -> io::Result<String> {
    let question = format!("{place}\n");
    match question.find('\n') {
        Some(end) if end == place.len() && end < LONGEST => {
            Ok(question)
        }
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

/// The first line without its `\n`, if it's short enough and text.
fn first_line(answer: &[u8]) -> io::Result<String> {
    let line = answer.iter().take(LONGEST).position(|&b| b == b'\n');
    let line = line.and_then(|end| str::from_utf8(&answer[..end]).ok());
    let line = line.ok_or(ErrorKind::InvalidData)?;
    Ok(line.trim_end().to_owned())
}

/// A station that reads one question, and then does what `answer`
/// does.
fn station(
    answer: impl FnOnce(&mut TcpStream) + Send + 'static,
) -> io::Result<(SocketAddr, std::thread::JoinHandle<()>)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let thread = std::thread::spawn(move || {
        if let Ok((mut client, _)) = listener.accept() {
            let mut question = [0; 64];
            let read = client.read(&mut question);
            if read.is_ok_and(|n| n > 0) {
                answer(&mut client);
            }
        }
    });
    Ok((address, thread))
}

fn main() -> io::Result<()> {
    let limit = Duration::from_secs(5);
    let (address, thread) = station(|client| {
        client.write_all(b"21 degrees\n").ok();
    })?;
    println!("Rome: {}", reading_of("Rome", address, limit)?);
    thread.join().ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(30);

    /// The kind of the error, after a wait that was not too long.
    fn error_of(
        limit: Duration,
        answer: impl FnOnce(&mut TcpStream) + Send + 'static,
    ) -> ErrorKind {
        let start = Instant::now();
        let (address, thread) = station(answer).expect("a station");
        let answer = reading_of("Rome", address, limit);
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        thread.join().expect("the station doesn't panic");
        answer.expect_err("there is no whole line").kind()
    }

    #[test]
    fn silence_of_the_station_is_limited() {
        let (done, wait) = mpsc::channel::<()>();
        let kind = error_of(SHORT, move |_| {
            wait.recv_timeout(2 * SHORT).ok();
        });
        drop(done);
        assert_eq!(kind, ErrorKind::TimedOut);
    }

    #[test]
    fn slow_bytes_do_not_prolong_the_limit() {
        // Each byte arrives in time, but the line doesn't.
        let kind = error_of(SHORT, |client| {
            while client.write_all(b"2").is_ok() {
                thread::sleep(SHORT / 4);
            }
        });
        assert_eq!(kind, ErrorKind::TimedOut);
    }

    #[test]
    fn failure_in_the_middle_of_a_line() {
        let kind = error_of(LONG, |client| {
            client.write_all(b"2").ok();
        });
        assert_eq!(kind, ErrorKind::UnexpectedEof);
    }

    #[test]
    fn failure_to_connect() {
        // Nothing listens on the first port.
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let answer = reading_of("Rome", nobody, LONG);
        let kind = answer.expect_err("nothing listens").kind();
        assert_eq!(kind, ErrorKind::ConnectionRefused);
    }

    #[test]
    fn edges_an_endless_line_and_no_text() {
        let kind = error_of(LONG, |client| {
            let more = [b'2'; 64];
            while client.write_all(&more).is_ok() {}
        });
        assert_eq!(kind, ErrorKind::InvalidData);
        let kind = error_of(LONG, |client| {
            client.write_all(b"\xff\n").ok();
        });
        assert_eq!(kind, ErrorKind::InvalidData);
    }

    #[test]
    fn edges_no_time() {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let answer = reading_of("Rome", nobody, Duration::ZERO);
        assert!(answer.is_err());
    }

    #[test]
    fn edges_the_longest_time() -> io::Result<()> {
        let (address, thread) = station(|client| {
            client.write_all(b"21\n").ok();
        })?;
        assert_eq!(reading_of("Rome", address, Duration::MAX)?, "21");
        thread.join().expect("the station doesn't panic");
        Ok(())
    }

    #[test]
    fn edges_places_that_are_not_a_short_line() {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let long = "Rome".repeat(1_000_000);
        for place in ["Rome\nOslo", "\n", &long] {
            let answer = reading_of(place, nobody, LONG);
            let kind = answer.expect_err("it isn't a line").kind();
            assert_eq!(kind, ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn edges_more_than_a_line_in_one_read() -> io::Result<()> {
        for answer in ["21\nby", "21\n22\n", "21\r\n\n"] {
            let (done, wait) = mpsc::channel::<()>();
            let (address, thread) = station(move |client| {
                client.write_all(answer.as_bytes()).ok();
                wait.recv_timeout(LONG).ok();
            })?;
            assert_eq!(reading_of("Rome", address, LONG / 2)?, "21");
            drop(done);
            thread.join().expect("the station doesn't panic");
        }
        Ok(())
    }

    #[test]
    fn edges_the_longest_line() -> io::Result<()> {
        for length in [LONGEST - 1, LONGEST] {
            let line = format!("{}\n", "2".repeat(length));
            let (address, thread) = station(move |client| {
                client.write_all(line.as_bytes()).ok();
            })?;
            let answer = reading_of("Rome", address, LONG);
            assert_eq!(answer.is_ok(), length < LONGEST);
            thread.join().expect("the station doesn't panic");
        }
        Ok(())
    }

    #[test]
    fn edges_a_line_in_two_parts() -> io::Result<()> {
        let (address, thread) = station(|client| {
            client.write_all(b"21 ").ok();
            thread::sleep(SHORT / 4);
            client.write_all("°C\n".as_bytes()).ok();
        })?;
        assert_eq!(reading_of("Rome", address, LONG)?, "21 °C");
        thread.join().expect("the station doesn't panic");
        Ok(())
    }

    #[test]
    fn threads_ask_at_the_same_time() {
        let ask = || {
            let (address, thread) = station(|client| {
                client.write_all(b"21\n").ok();
            })?;
            let reading = reading_of("Rome", address, LONG);
            thread.join().expect("the station doesn't panic");
            reading
        };
        thread::scope(|scope| {
            let all: Vec<_> =
                (0..20).map(|_| scope.spawn(ask)).collect();
            for one in all {
                let reading = one.join().expect("it doesn't panic");
                assert_eq!(reading.ok().as_deref(), Some("21"));
            }
        });
    }
}
