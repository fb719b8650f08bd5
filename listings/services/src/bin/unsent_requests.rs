//! Find out which failed requests hyper hasn't sent.

use http::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split,
};

// ANCHOR: ask
/// Asks a supplier for a price. The error says whether hyper gives
/// the request back, because it hasn't written any of it.
async fn ask(stream: DuplexStream) -> anyhow::Result<String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/price")
        .header("host", "supplier")
        .body(String::new())?;
    let answer = sender.try_send_request(request);
    let (answer, _) = tokio::join!(answer, connection);
    let Err(mut error) = answer else {
        return Ok("answered".to_owned());
    };
    let sent = match error.take_message() {
        Some(_request) => "not sent",
        None => "may have been executed",
    };
    let cause = anyhow::Error::from(error.into_error());
    Ok(format!("{cause:#}: {sent}"))
}
// ANCHOR_END: ask

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = duplex(1024);
    drop(supplier);
    println!("{}", ask(client).await?);

    let (client, mut supplier) = duplex(1024);
    supplier.write_all(b"220 mail.example ESMTP\r\n").await?;
    println!("{}", ask(client).await?);

    let (client, supplier) = duplex(1024);
    let reads = async {
        let (mut reader, _writer) = split(supplier);
        reader.read_u8().await
    };
    let (outcome, read) = tokio::join!(ask(client), reads);
    read?;
    println!("{}", outcome?);
    Ok(())
}
