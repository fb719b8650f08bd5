//! Wrong: `async Fn` as a bound and `impl Future` as an associated type need a nightly compiler.
async fn ask(delay_of: impl async Fn(u32) -> u32) -> u32 {
    delay_of(17).await
}

trait Query {
    type Answer: Future<Output = u32>;
    fn run(&self) -> Self::Answer;
}

struct Delay(u32);

impl Query for Delay {
    type Answer = impl Future<Output = u32>;

    fn run(&self) -> Self::Answer {
        std::future::ready(self.0 % 10)
    }
}

#[tokio::main]
async fn main() {
    println!("{}", ask(async |train| Delay(train).run().await).await);
}
