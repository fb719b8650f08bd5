//! Loop with `while let` over a channel, tasks, lines, and a stream.

use futures::{StreamExt, stream};
use tokio::{
    io::{self, AsyncBufReadExt},
    sync::mpsc,
    task::JoinSet,
};

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (readings, mut inbox) = mpsc::channel(8);
    readings.send(21).await.ok();
    drop(readings);
    while let Some(degrees) = inbox.recv().await {
        println!("{degrees} from a channel");
    }

    let mut tasks: JoinSet<u32> = [async { 22 }].into_iter().collect();
    while let Some(degrees) = tasks.join_next().await {
        println!("{} from a task", degrees?);
    }

    let mut lines = b"23\n".lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line} from a line");
    }

    let mut stations = stream::iter([24]);
    while let Some(degrees) = stations.next().await {
        println!("{degrees} from a stream");
    }
    Ok(())
}
// ANCHOR_END: main
