//! Wrong: the block borrows a variable of the function.

#[tokio::main]
async fn main() {
    let order = String::from("desk");
    let task = tokio::spawn(async { println!("{order} is packed") });
    task.await.ok();
}
