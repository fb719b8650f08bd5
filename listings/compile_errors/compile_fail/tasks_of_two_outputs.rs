//! Wrong: the tasks of one set return different types.

use tokio::task::JoinSet;

async fn quote(parcel: u32) -> u32 {
    12 * parcel
}

async fn note(text: &str) {
    println!("{text}");
}

#[tokio::main]
async fn main() {
    let mut tasks = JoinSet::new();
    tasks.spawn(quote(1));
    tasks.spawn(note("asked the truck"));
    println!("{:?}", tasks.join_all().await);
}
