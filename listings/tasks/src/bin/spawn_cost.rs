//! Count the allocations of each way to wait for a thousand futures.

// ANCHOR: four_ways
use futures::{StreamExt, future, stream::FuturesUnordered};
use tokio::task::JoinSet;

/// One after the other, in the task that awaits them.
async fn one_by_one() {
    for product in 0..COUNT {
        price_of(product).await;
    }
}

/// All together in the task that awaits them, in the order of the list.
async fn join_all() {
    future::join_all((0..COUNT).map(price_of)).await;
}

/// All together in the task that awaits them, as they finish.
async fn futures_unordered() {
    let mut calls: FuturesUnordered<_> =
        (0..COUNT).map(price_of).collect();
    while calls.next().await.is_some() {}
}

/// Each in its own task, as they finish.
async fn join_set() {
    let mut calls: JoinSet<_> = (0..COUNT).map(price_of).collect();
    while calls.join_next().await.is_some() {}
}
// ANCHOR_END: four_ways

const COUNT: u32 = 1000;

/// Does almost nothing, so that only the waiting is counted.
async fn price_of(product: u32) -> u32 {
    10 * product
}

/// The allocations per future while a new runtime runs `work`.
fn allocations(work: impl Future<Output = ()>) -> std::io::Result<f64> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build()?;
    let counted =
        allocation_counter::measure(|| runtime.block_on(work));
    Ok(counted.count_total as f64 / f64::from(COUNT))
}

fn main() -> std::io::Result<()> {
    println!("allocations per future, of {COUNT}");
    let none = allocations(one_by_one())?;
    println!("one by one         {none:.1}");
    let join_all = allocations(join_all())?;
    println!("join_all           {join_all:.1}");
    let unordered = allocations(futures_unordered())?;
    println!("FuturesUnordered   {unordered:.1}");
    let join_set = allocations(join_set())?;
    println!("JoinSet            {join_set:.1}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_a_future_can_do_the_more_it_costs() {
        let one_by_one = allocations(one_by_one()).expect("a runtime");
        let join_all = allocations(join_all()).expect("a runtime");
        let unordered =
            allocations(futures_unordered()).expect("a runtime");
        let join_set = allocations(join_set()).expect("a runtime");
        assert_eq!(one_by_one, 0.0);
        assert!((1.0..1.1).contains(&join_all), "{join_all}");
        assert!((1.0..1.1).contains(&unordered), "{unordered}");
        assert!((2.0..2.1).contains(&join_set), "{join_set}");
    }

    #[tokio::test]
    async fn a_price_is_found_by_its_product() {
        assert_eq!(price_of(7).await, 70);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_way_waits_for_all_on_many_threads() {
        one_by_one().await;
        join_all().await;
        futures_unordered().await;
        join_set().await;
    }
}
