//! Wrong: the spawned block borrows a local variable.

#[tokio::main]
async fn main() {
    let order = String::from("desk");
    let task = tokio::spawn(async { println!("{order} is packed") });
    task.await.ok();
}
