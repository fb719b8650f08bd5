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
    let deadline = Instant::now() + limit;
    let mut station = TcpStream::connect_timeout(&station, limit)?;
    station.set_write_timeout(Some(left(deadline)?))?;
    station.write_all(format!("{place}\n").as_bytes())?;

    let mut answer = Vec::new();
    let mut part = [0; 64];
    while !answer.ends_with(b"\n") && answer.len() < LONGEST {
        station.set_read_timeout(Some(left(deadline)?))?;
        match station.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => answer.extend_from_slice(&part[..n]),
            // The read timeout is over, as Unix reports it.
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    line(answer)
}

/// The time that's left, or an error if there's none.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}
// ANCHOR_END: ask

const LONGEST: usize = 200;

/// The answer without its line break, if it's a whole line of text.
fn line(answer: Vec<u8>) -> io::Result<String> {
    match String::from_utf8(answer) {
        Ok(text) if text.ends_with('\n') => {
            Ok(text.trim_end().to_owned())
        }
        _ => Err(ErrorKind::InvalidData.into()),
    }
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
