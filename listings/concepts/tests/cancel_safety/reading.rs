//! Reading from what sends bytes.

use crate::row::{agrees, drop_pending};
use std::io;
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex,
};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

#[tokio::test]
async fn read_and_read_buf() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(64);
    let mut bytes = [0; 4];
    let mut buffer = Vec::new();
    drop_pending!(ours.read(&mut bytes));
    drop_pending!(ours.read_buf(&mut buffer));
    drop_pending!(ours.read_u8());
    theirs.write_all(b"abcd").await?;
    assert_eq!(ours.read(&mut bytes).await?, 4);
    agrees("read_and_read_buf", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn read_exact() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(64);
    let mut bytes = [0; 4];
    theirs.write_all(b"ab").await?;
    drop_pending!(ours.read_exact(&mut bytes));
    theirs.write_all(b"cd").await?;
    drop_pending!(ours.read_u32());
    theirs.write_all(b"efgh").await?;
    ours.read_exact(&mut bytes).await?;
    assert_eq!(&bytes, b"efgh");
    agrees("read_exact", "not_safe", "the bytes that were read");
    Ok(())
}

#[tokio::test]
async fn read_to_end() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(64);
    let mut buffer = Vec::new();
    theirs.write_all(b"ab").await?;
    drop_pending!(ours.read_to_end(&mut buffer));
    theirs.write_all(b"cd").await?;
    drop(theirs);
    ours.read_to_end(&mut buffer).await?;
    assert_eq!(buffer, b"abcd");
    agrees(
        "read_to_end",
        "resumable",
        "nothing, because the bytes that were read are in the buffer",
    );
    Ok(())
}

#[tokio::test]
async fn read_to_string() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(64);
    let mut text = String::new();
    theirs.write_all(b"ab").await?;
    drop_pending!(ours.read_to_string(&mut text));
    theirs.write_all(b"cd").await?;
    drop(theirs);
    ours.read_to_string(&mut text).await?;
    assert_eq!(text, "cd");
    agrees("read_to_string", "not_safe", "the bytes that were read");
    Ok(())
}

#[tokio::test]
async fn read_line() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    let mut ours = BufReader::new(ours);
    let mut line = String::from("order: ");
    theirs.write_all(b"ab").await?;
    drop_pending!(ours.read_line(&mut line));
    assert_eq!(line, "");
    theirs.write_all(b"cd\n").await?;
    ours.read_line(&mut line).await?;
    assert_eq!(line, "cd\n");
    agrees(
        "read_line",
        "not_safe",
        "the part of the line that was read, and the previous content of the string",
    );
    Ok(())
}

#[tokio::test]
async fn read_until() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    let mut ours = BufReader::new(ours);
    let mut line = Vec::new();
    theirs.write_all(b"ab").await?;
    drop_pending!(ours.read_until(b'\n', &mut line));
    theirs.write_all(b"cd\n").await?;
    // It counts only what this call has read.
    assert_eq!(ours.read_until(b'\n', &mut line).await?, 3);
    assert_eq!(line, b"abcd\n");
    agrees(
        "read_until",
        "resumable",
        "nothing, because the bytes that were read are in the buffer",
    );
    Ok(())
}

#[tokio::test]
async fn next_line() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    let mut lines = BufReader::new(ours).lines();
    theirs.write_all(b"ab").await?;
    drop_pending!(lines.next_line());
    theirs.write_all(b"cd\n").await?;
    assert_eq!(lines.next_line().await?.as_deref(), Some("abcd"));
    agrees("next_line", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn fill_buf() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    let mut ours = BufReader::new(ours);
    drop_pending!(ours.fill_buf());
    theirs.write_all(b"ab").await?;
    assert_eq!(ours.fill_buf().await?, b"ab");
    assert_eq!(ours.fill_buf().await?, b"ab");
    agrees("fill_buf", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn accept() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    drop_pending!(listener.accept());
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (_, address) = listener.accept().await?;
    assert_eq!(address, client.local_addr()?);
    agrees("accept", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn tcp_connect() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    drop_pending!(TcpStream::connect(server));
    let mut client = TcpStream::connect(server).await?;
    client.write_all(b"a").await?;
    // The server accepts both, and the first is closed.
    let mut received = Vec::new();
    for _ in 0..2 {
        let (mut accepted, _) = listener.accept().await?;
        let mut bytes = [0; 1];
        // A reset is an end, too.
        received.push(accepted.read(&mut bytes).await.unwrap_or(0));
    }
    received.sort_unstable();
    assert_eq!(received, [0, 1]);
    agrees(
        "tcp_connect",
        "safe",
        "only the attempt, because the next call opens another connection",
    );
    Ok(())
}

#[tokio::test]
async fn readable_and_peek() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    let mut byte = [0];
    // A new socket is taken for readable, until one has tried.
    drop_pending!(server.peek(&mut byte));
    drop_pending!(server.readable());
    client.write_all(b"a").await?;
    server.readable().await?;
    assert_eq!(server.peek(&mut byte).await?, 1);
    server.read_exact(&mut byte).await?;
    assert_eq!(&byte, b"a");
    agrees("readable_and_peek", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn udp_recv_from() -> io::Result<()> {
    let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    let mut bytes = [0; 4];
    drop_pending!(receiver.recv_from(&mut bytes));
    sender.send_to(b"ab", receiver.local_addr()?).await?;
    let (count, from) = receiver.recv_from(&mut bytes).await?;
    assert_eq!((count, from), (2, sender.local_addr()?));
    agrees("udp_recv_from", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn simplex() -> io::Result<()> {
    let (mut writer, mut reader) = tokio_util::io::simplex::new(2);
    let mut bytes = [0; 4];
    drop_pending!(reader.read(&mut bytes));
    assert_eq!(writer.write(b"abcd").await?, 2);
    drop_pending!(writer.write(b"cd"));
    assert_eq!(reader.read(&mut bytes).await?, 2);
    assert_eq!(writer.write(b"cd").await?, 2);
    assert_eq!(reader.read(&mut bytes[2..]).await?, 2);
    assert_eq!(&bytes, b"abcd");
    agrees("simplex", "safe", "nothing");
    Ok(())
}
