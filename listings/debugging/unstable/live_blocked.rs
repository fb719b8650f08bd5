//! gdb shows which function blocks a worker, but not a task that waits.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use tokio::{runtime::Builder, sync::oneshot, task::JoinSet};

// ANCHOR: service
async fn charge(order: u32, bank: SocketAddr) -> io::Result<String> {
    ask_bank(order, bank)
}

fn ask_bank(order: u32, bank: SocketAddr) -> io::Result<String> {
    let mut bank = TcpStream::connect(bank)?;
    writeln!(bank, "charge {order}")?;
    let mut answer = String::new();
    bank.read_to_string(&mut answer)?;
    Ok(answer)
}

async fn reserve(stock: oneshot::Receiver<u32>) -> io::Result<String> {
    let place = stock.await.map_err(io::Error::other)?;
    Ok(format!("reserved at {place}"))
}
// ANCHOR_END: service

async fn serve() -> io::Result<()> {
    let bank = TcpListener::bind("127.0.0.1:0")?;
    let (_stock, answer) = oneshot::channel();
    let mut requests = JoinSet::new();
    requests.spawn(charge(7, bank.local_addr()?));
    requests.spawn(reserve(answer));
    println!("ready");
    while let Some(request) = requests.join_next().await {
        request??;
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    if attach::is_the_service() {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build()?;
        return Ok(runtime.block_on(serve())?);
    }
    let service = attach::Service::start()?;
    service.settle()?;
    let gdb = "gdb -p PID -batch -ex 'thread apply all bt'";
    println!("$ {gdb}");
    let stacks = service.run(gdb)?;
    print!("{}", attach::stacks(&stacks, "live_blocked")?);

    let strace = "strace -f -p PID";
    println!("\n$ timeout 2 {strace}");
    let calls = format!("timeout -s INT 2 {strace} 2>&1 || true");
    let calls = service.run(&calls)?;
    // Without the numbers, which differ in each run.
    let calls = calls.lines().filter_map(|line| line.split_once("] "));
    let mut calls: Vec<_> =
        calls.filter_map(|(_, call)| call.split_once('(')).collect();
    calls.sort();
    for (call, _) in calls {
        println!("{call}(...");
    }
    Ok(())
}
