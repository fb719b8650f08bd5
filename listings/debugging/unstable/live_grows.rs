//! heaptrack shows which function allocated the memory that is never freed.

use std::collections::HashMap;

use tokio::{join, runtime::Builder, sync::mpsc};

// ANCHOR: service
/// The answer to each request, by its key. Nothing removes an answer.
type Answers = HashMap<String, Vec<u8>>;

async fn answer_all(
    mut requests: mpsc::Receiver<String>,
    answers: &mut Answers,
) {
    while let Some(key) = requests.recv().await {
        remember(answers, key);
    }
}

fn remember(answers: &mut Answers, key: String) {
    answers.insert(key, vec![0; 1024]);
}
// ANCHOR_END: service

async fn serve() {
    let (clients, requests) = mpsc::channel(8);
    let mut answers = Answers::new();
    let send_all = async {
        for number in 0..20_000 {
            let request = format!("order-{number}");
            clients.send(request).await.expect("it is served");
        }
        drop(clients);
    };
    join!(send_all, answer_all(requests, &mut answers));
    // Like a process that is killed, it frees nothing.
    std::process::exit(0);
}

fn main() -> anyhow::Result<()> {
    if attach::is_the_service() {
        Builder::new_current_thread().build()?.block_on(serve());
    }
    let file = std::env::temp_dir()
        .join(format!("heaptrack.{}", std::process::id()));
    let file = file.display();
    println!("$ heaptrack ./live_grows");
    let heaptrack = format!("heaptrack -o {file} SELF");
    attach::run_service_in(&heaptrack)?;
    println!("$ heaptrack_print -l 1 -f heaptrack.live_grows.PID.zst");
    let print =
        format!("heaptrack_print -l 1 -f {file}.* && rm {file}.*");
    let report = attach::run_service_in(&print)?;
    print!("{}", attach::allocations(&report, "live_grows")?);
    Ok(())
}
