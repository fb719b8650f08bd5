//! A backtrace stops at the task: it doesn't say who spawned the task.

use std::backtrace::Backtrace;

// ANCHOR: trace
async fn place_order() {
    println!("awaited: {}", charge().await.join(" < "));
    let task = tokio::spawn(charge());
    if let Ok(functions) = task.await {
        println!("spawned: {}", functions.join(" < "));
    }
}

async fn charge() -> Vec<&'static str> {
    ask_bank().await
}

async fn ask_bank() -> Vec<&'static str> {
    tokio::task::yield_now().await;
    functions(&Backtrace::force_capture())
}
// ANCHOR_END: trace

/// The functions of this program in a backtrace, innermost first.
/// Each `async fn` is a closure in there, amid frames of `poll`.
fn functions(backtrace: &Backtrace) -> Vec<&'static str> {
    let text = backtrace.to_string();
    let own = ["place_order", "charge", "ask_bank"];
    text.lines()
        .filter_map(|line| {
            let is_in =
                |name: &&&str| line.contains(&format!("::{name}::"));
            own.iter().find(is_in).copied()
        })
        .collect()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    place_order().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_awaited_has_its_caller() {
        async fn place_order() -> Vec<&'static str> {
            charge().await
        }
        let awaited = ["ask_bank", "charge", "place_order"];
        assert_eq!(place_order().await, awaited);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_spawned_has_none() {
        async fn place_order() -> Option<Vec<&'static str>> {
            tokio::spawn(charge()).await.ok()
        }
        let spawned = place_order().await.expect("it does not panic");
        assert_eq!(spawned, ["ask_bank", "charge"]);
    }
}
