//! Write the bound as `AsyncFn`, box the future of an associated type, and loop with `while let`.
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};

async fn ask(delay_of: impl AsyncFn(u32) -> u32) -> u32 {
    delay_of(17).await
}

trait Query {
    type Answer: Future<Output = u32>;
    fn run(&self) -> Self::Answer;
}

struct Delay(u32);

impl Query for Delay {
    type Answer = BoxFuture<'static, u32>;

    fn run(&self) -> Self::Answer {
        let train = self.0;
        Box::pin(async move { train % 10 })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let delay = ask(async |train| Delay(train).run().await).await;
    println!("train 17 is {delay} minutes late");
    let mut trains = stream::iter([17, 42]);
    while let Some(train) = trains.next().await {
        println!("train {train} has arrived");
    }
}
