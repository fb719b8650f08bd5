//! Wrong: the receiver of a channel isn't an iterator.

use tokio::sync::mpsc;

#[tokio::main]
async fn main() {
    let (readings, inbox) = mpsc::channel(8);
    readings.send(21).await.ok();
    for degrees in inbox {
        println!("{degrees}");
    }
}
