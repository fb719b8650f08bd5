//! A server that answers before it has read the whole upload.

use std::{error::Error, io, time::Duration};

use reqwest::{Body, Client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

// ANCHOR: refuse
/// Refuses an upload after reading its head.
async fn refuse(mut client: TcpStream, drains: bool) -> io::Result<()> {
    read_head(&mut client).await?;
    client.write_all(TOO_LARGE).await?;
    if drains {
        // Sends EOF, and discards the rest of the upload.
        client.shutdown().await?;
        let mut nowhere = sink();
        let rest = copy(&mut client, &mut nowhere);
        tokio::time::timeout(Duration::from_secs(5), rest).await??;
    }
    Ok(())
}
// ANCHOR_END: refuse

const TOO_LARGE: &[u8] = b"HTTP/1.1 413 Content Too Large\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

async fn read_head(client: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(())
}

/// What a client gets that uploads 50 MB.
async fn upload(drains: bool) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut server = JoinSet::new();
    server.spawn(async move {
        let (client, _) = listener.accept().await?;
        refuse(client, drains).await
    });
    let limit = Duration::from_secs(8);
    let client = Client::builder().no_proxy().timeout(limit).build()?;
    let chunks = (0..50_000).map(|_| io::Result::Ok(vec![0; 1000]));
    let body = Body::wrap_stream(futures::stream::iter(chunks));
    Ok(match client.post(url).body(body).send().await {
        Ok(answer) => answer.status().to_string(),
        Err(error) if is_broken(&error) => {
            "connection reset by peer, or broken pipe".to_owned()
        }
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    })
}

fn is_broken(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    let mut cause = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>().map(|it| it.kind());
        if matches!(io, Some(BrokenPipe | ConnectionReset)) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!("it closes:    {}", upload(false).await?);
    println!("it reads on:  {}", upload(true).await?);
    Ok(())
}
