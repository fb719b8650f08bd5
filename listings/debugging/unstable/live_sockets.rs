//! ss shows the sockets that a proxy doesn't close.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

// ANCHOR: service
async fn proxy(mut client: TcpStream, shop: String) -> io::Result<()> {
    let mut shop = TcpStream::connect(shop).await?;
    copy_bidirectional(&mut client, &mut shop).await?;
    Ok(())
}
// ANCHOR_END: service

async fn serve() -> io::Result<()> {
    let shop = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready {}", listener.local_addr()?);
    loop {
        let (client, _address) = listener.accept().await?;
        tokio::spawn(proxy(client, shop.clone()));
    }
}

fn main() -> anyhow::Result<()> {
    if attach::is_the_service() {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build()?;
        return Ok(runtime.block_on(serve())?);
    }
    // The shop reads each order, but doesn't answer.
    let shop = std::net::TcpListener::bind("127.0.0.1:0")?;
    let shop_address = shop.local_addr()?.to_string();
    let (service, proxy) =
        attach::Service::start_with("ulimit -n 64", &[&shop_address])?;
    let mut shops = Vec::new();
    for order in 1..=3 {
        let mut client = std::net::TcpStream::connect(&proxy)?;
        write!(client, "order {order}")?;
        client.shutdown(Shutdown::Write)?;
        let (mut socket, _) = shop.accept()?;
        socket.read_to_end(&mut Vec::new())?;
        shops.push(socket);
    }
    println!("$ ss -tnp | grep PID");
    let ss = "ss -Htnp | grep pid=PID,";
    let sockets = service.run_until_same(ss)?;
    let mut sockets: Vec<_> = sockets.lines().collect();
    sockets.sort();
    for socket in sockets {
        let columns: Vec<_> = socket.split_whitespace().collect();
        let [state, _, _, local, peer, ..] = columns[..] else {
            anyhow::bail!("{socket}: not as expected");
        };
        // The system chooses the other ports.
        let name = |address: &str| match address {
            it if it == proxy => "proxy".to_owned(),
            it if it == shop_address => "shop".to_owned(),
            it => it.split(':').next().unwrap_or(it).to_owned(),
        };
        println!("{state:<10}  {:<9}  {:<9}", name(local), name(peer));
    }
    for command in [
        "ls -l /proc/PID/fd | grep -c socket",
        "grep 'open files' /proc/PID/limits",
    ] {
        println!("\n$ {command}");
        print!("{}", service.run(command)?);
    }
    Ok(())
}
