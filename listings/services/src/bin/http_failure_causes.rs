//! Say why an HTTP request failed: print the chain of causes.

// ANCHOR: why
use reqwest::{Client, Error};

/// All causes in one line, without the URL, which may hold a secret.
fn why(error: Error) -> String {
    let step = match &error {
        error if error.is_builder() => "not sent: ",
        error if error.is_connect() => "no connection: ",
        error if error.is_timeout() => "timed out: ",
        error if error.is_request() => "no answer: ",
        error if error.is_status() => "refused: ",
        error if error.is_redirect() => "redirected: ",
        _ => "answer unusable: ",
    };
    let causes = anyhow::Error::from(error.without_url());
    format!("{step}{causes:#}")
}

async fn price(client: &Client, url: &str) -> Result<u32, Error> {
    let answer = client.get(url).send().await?;
    answer.error_for_status()?.json().await
}
// ANCHOR_END: why

use std::{io, sync::Arc, time::Duration};

use reqwest::dns::{Name, Resolve, Resolving};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A supplier that fails as the path says.
struct Supplier {
    base: String,
    _running: JoinSet<()>,
}

async fn start() -> io::Result<Supplier> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            clients.spawn(answer(client));
        }
    });
    Ok(Supplier { base, _running: running })
}

async fn answer(mut client: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let answer = match request.split([' ', '?']).nth(1) {
        Some("/silent") => std::future::pending().await,
        Some("/closes") => return Ok(()),
        Some("/resets") => return client.set_zero_linger(),
        Some("/half") => "200 OK\r\nContent-Length: 9\r\n\r\n12",
        Some("/words") => "200 OK\r\nContent-Length: 5\r\n\r\ntwelv",
        Some("/busy") => "503 Service Unavailable\r\n\r\n",
        Some("/around") => "302 Found\r\nLocation: /around\r\n\r\n",
        Some("/other") => "\0",
        _ => "200 OK\r\nContent-Length: 2\r\n\r\n12",
    };
    let answer = format!("HTTP/1.1 {answer}");
    client.write_all(answer.as_bytes()).await
}

/// Knows no host.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("no such host".into()) })
    }
}

fn client() -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_millis(300))
        .dns_resolver(Arc::new(NoNames))
        .no_proxy() // This program's supplier is on loopback.
        .build()
}

/// An address at which nobody listens.
async fn nobody() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(format!("http://{}", listener.local_addr()?))
}

const PATHS: [&str; 9] = [
    "closes", "resets", "silent", "busy", "around", "half", "words",
    "other", "fine",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (client, supplier) = (client()?, start().await?);
    let refuses = nobody().await?;
    let mut urls = vec![
        ("bad URL", "supplier/price".to_owned()),
        ("no host", "http://supplier.example".to_owned()),
        ("https", "https://supplier.example".to_owned()),
        ("refuses", refuses),
    ];
    for path in PATHS {
        urls.push((path, format!("{}/{path}", supplier.base)));
    }
    for (name, url) in urls {
        match price(&client, &url).await {
            Ok(price) => println!("{name:<8} {price}"),
            Err(error) => println!("{name:<8} {}", why(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn failure_of(url: &str) -> anyhow::Result<String> {
        let error = price(&client()?, url).await.expect_err("it fails");
        Ok(why(error))
    }

    #[tokio::test]
    async fn failure_is_reported_with_its_cause() -> anyhow::Result<()>
    {
        let supplier = start().await?;
        for (path, cause) in [
            ("closes", "connection closed before message completed"),
            ("resets", "onnection reset"),
            ("busy", "503 Service Unavailable"),
            ("around", "too many redirects"),
            ("half", "end of file before message length reached"),
            ("words", "expected ident"),
            ("other", "invalid HTTP"),
        ] {
            let url = format!("{}/{path}?key=secret", supplier.base);
            let why = failure_of(&url).await?;
            assert!(why.contains(cause), "{path}: {why}");
            assert!(!why.contains("secret"), "{path}: {why}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn silence_is_a_timeout() -> anyhow::Result<()> {
        let supplier = start().await?;
        let url = format!("{}/silent", supplier.base);
        let why = failure_of(&url).await?;
        assert!(why.starts_with("timed out: "), "{why}");
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_url_no_host_and_nobody() -> anyhow::Result<()> {
        let why = failure_of("").await?;
        assert!(why.starts_with("not sent: "), "{why}");
        for url in
            ["http://supplier.example".to_owned(), nobody().await?]
        {
            let why = failure_of(&url).await?;
            assert!(why.starts_with("no connection: "), "{why}");
        }
        Ok(())
    }

    /// Never finds a host.
    struct Silent;

    impl Resolve for Silent {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn silence_while_connecting_is_both() -> anyhow::Result<()> {
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(50))
            .dns_resolver(Arc::new(Silent))
            .no_proxy()
            .build()?;
        let url = "http://supplier.example";
        let error = price(&client, url).await.expect_err("silent");
        assert!(error.is_connect() && error.is_timeout());
        assert!(error.is_request());
        assert!(why(error).starts_with("no connection: "));
        Ok(())
    }
}
