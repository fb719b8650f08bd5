//! perf shows which function keeps a core busy.

use tokio::{
    runtime::Builder, select, sync::mpsc, task::JoinSet, time::sleep,
};

// ANCHOR: service
async fn ship_all(mut orders: mpsc::Receiver<u32>) {
    let mut shipments = JoinSet::new();
    loop {
        select! {
            Some(order) = orders.recv() => {
                shipments.spawn(ship(order));
            }
            _shipped = shipments.join_next() => {}
        }
    }
}
// ANCHOR_END: service

async fn ship(_order: u32) {
    sleep(std::time::Duration::from_millis(1)).await;
}

async fn serve() {
    let (_shop, orders) = mpsc::channel(8);
    let shipping = tokio::spawn(ship_all(orders));
    println!("ready");
    shipping.await.expect("it never ends");
}

fn main() -> anyhow::Result<()> {
    if attach::is_the_service() {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build()?;
        runtime.block_on(serve());
        return Ok(());
    }
    let service = attach::Service::start()?;
    let states = "cd /proc/PID/task; grep -hE '^(Name|State)' */status | paste - - | sort";
    println!("$ {states}");
    print!("{}", service.run_until_same(states)?);

    let file = std::env::temp_dir()
        .join(format!("perf.{}", std::process::id()));
    let file = file.display();
    let record =
        "perf record -e cpu-clock -F 99 --call-graph dwarf -p PID";
    let report = "perf report --children -g none --no-inline";
    println!("\n$ {record} -- sleep 1\n$ {report}");
    let record = format!("{record} -q -o {file} -- sleep 1 2>&1");
    service.run(&record)?;
    let report = format!("{report} -i {file} --stdio; rm {file}");
    let report = service.run(&report)?;
    print!("{}", attach::hot(&report, "live_spins")?);
    Ok(())
}
