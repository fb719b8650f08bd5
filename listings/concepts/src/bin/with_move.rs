//! Move the variables that the block uses into the task.

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let order = String::from("desk");
    let task =
        tokio::spawn(async move { println!("{order} is packed") });
    task.await.ok();
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_own_what_they_use() {
        let order = String::from("desk");
        let task = tokio::spawn(async move { order.len() });
        assert_eq!(task.await.ok(), Some(4));
    }
}
