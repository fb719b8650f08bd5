//! What tokio-console receives about four tasks, read from the wire.

use std::{
    collections::BTreeMap,
    error::Error,
    future::{pending, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::mpsc,
    task::Poll,
    time::Duration,
};

use console_api::{
    Field,
    field::{Name, Value},
    instrument::{
        InstrumentRequest, instrument_client::InstrumentClient,
    },
    tasks::Stats,
};
use console_subscriber::ConsoleLayer;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: setup
/// Collects what Tokio reports about its tasks, and serves it to
/// tokio-console or any other client of its protocol.
fn serve_console(address: SocketAddr) {
    ConsoleLayer::builder()
        .server_addr(address)
        .publish_interval(Duration::from_millis(100))
        .init();
}
// ANCHOR_END: setup

// ANCHOR: tasks
fn start(
    tasks: &mut JoinSet<()>,
    end: mpsc::Receiver<()>,
) -> io::Result<()> {
    // Waits, as it should.
    tasks.build_task().name("orders").spawn(next_order())?;
    // Waits without a waker, so it can't be woken.
    tasks.build_task().name("upload").spawn(pending())?;
    // Wakes itself and checks again, a hundred times.
    tasks.build_task().name("inbox").spawn(async {
        let mut looks = 0;
        poll_fn(|cx| {
            looks += 1;
            if looks > 100 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        next_order().await;
    })?;
    // Blocks its thread.
    tasks.build_task().name("report").spawn(async move {
        let _ended = end.recv();
    })?;
    Ok(())
}
// ANCHOR_END: tasks

async fn next_order() {
    sleep(Duration::from_secs(3600)).await;
}

type Known = BTreeMap<String, Stats>;

/// What is known of the tasks that have names, once there are that
/// many, and nothing of them has changed between two updates.
async fn watch(
    address: SocketAddr,
    count: usize,
) -> Result<Known, Box<dyn Error>> {
    let to = format!("http://{address}");
    let mut client = InstrumentClient::connect(to).await?;
    let request = InstrumentRequest::default();
    let mut updates = client.watch_updates(request).await?.into_inner();
    let mut fields = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut known = Known::new();
    while let Some(update) = updates.message().await? {
        let new = update.new_metadata.unwrap_or_default().metadata;
        for metadata in new {
            if let (Some(id), Some(it)) =
                (metadata.id, metadata.metadata)
            {
                fields.insert(id.id, it.field_names);
            }
        }
        let tasks = update.task_update.unwrap_or_default();
        for task in tasks.new_tasks {
            let named = |field| name(field, &fields);
            let name = task.fields.iter().find_map(named);
            if let (Some(id), Some(name)) = (task.id, name) {
                names.insert(id.id, name.to_owned());
            }
        }
        let mut changed = false;
        for (id, stats) in tasks.stats_update {
            if let Some(name) = names.get(&id) {
                known.insert(name.clone(), stats);
                changed = true;
            }
        }
        if known.len() == count && !changed {
            return Ok(known);
        }
    }
    Err("the console has hung up".into())
}

/// The name of a task, where this is the field that has it.
fn name<'f>(
    field: &'f Field,
    names: &BTreeMap<u64, Vec<String>>,
) -> Option<&'f str> {
    let key = match field.name.as_ref()? {
        Name::StrName(key) => key,
        Name::NameIdx(index) => {
            let names = names.get(&field.metadata_id?.id)?;
            names.get(usize::try_from(*index).ok()?)?
        }
    };
    match field.value.as_ref()? {
        Value::StrVal(name) | Value::DebugVal(name)
            if key == "task.name" && !name.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    }
}

// ANCHOR: state
fn is_in_a_poll(stats: &Stats) -> bool {
    stats.poll_stats.as_ref().is_some_and(|polls| {
        let started = polls.last_poll_started.as_ref();
        let ended = polls.last_poll_ended.as_ref();
        started.map(|at| (at.seconds, at.nanos))
            > ended.map(|at| (at.seconds, at.nanos))
    })
}

fn describe(name: &str, stats: &Stats) -> String {
    let state = if is_in_a_poll(stats) { "runs" } else { "idle" };
    let polls = stats.poll_stats.as_ref().map_or(0, |it| it.polls);
    let wakers = stats.waker_clones.saturating_sub(stats.waker_drops);
    let (wakes, own) = (stats.wakes, stats.self_wakes);
    format!(
        "{name:<8}{state:<7}{polls:>5}{wakers:>9}{wakes:>8}{own:>9}"
    )
}
// ANCHOR_END: state

/// An address that nobody uses yet.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

async fn watch_four_tasks() -> Result<Known, Box<dyn Error>> {
    let address = free_address()?;
    serve_console(address);
    let (end, until) = mpsc::channel();
    let mut tasks = JoinSet::new();
    start(&mut tasks, until)?;
    let known = async {
        loop {
            match watch(address, 4).await {
                Ok(known) => break known,
                // It does not listen yet.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let known = timeout(Duration::from_secs(20), known).await?;
    drop(end);
    Ok(known)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let known = watch_four_tasks().await?;
    println!("task    state  polls   wakers   wakes  by self");
    for (name, stats) in &known {
        println!("{}", describe(name, stats));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_mistake_shows_in_the_numbers() {
        let known = watch_four_tasks().await.expect("it is served");
        let wakers = |name: &str| {
            let stats = &known[name];
            stats.waker_clones - stats.waker_drops
        };
        assert_eq!((wakers("orders"), wakers("upload")), (1, 0));
        assert_eq!(known["inbox"].self_wakes, 100);
        assert!(is_in_a_poll(&known["report"]));
        assert!(!is_in_a_poll(&known["orders"]));
    }
}
