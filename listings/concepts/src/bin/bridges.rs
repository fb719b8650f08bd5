//! Call async code from a sync callback, in three ways.

use std::{io, sync::mpsc as std_mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    sync::{Semaphore, mpsc},
    task,
    time::timeout,
};

// ANCHOR: three_ways
/// A sync library, which calls a callback for every price.
fn invoice(
    price_of: impl Fn(&str) -> io::Result<u32>,
) -> io::Result<u32> {
    Ok(price_of("desk")? + price_of("lamp")?)
}

/// Runs on a thread of the blocking pool, where `block_on` is allowed.
///
/// If this is canceled, the library still finishes, but its result
/// is lost.
async fn in_the_pool() -> io::Result<u32> {
    let handle = Handle::current();
    let price_of = move |product: &str| handle.block_on(price(product));
    task::spawn_blocking(|| invoice(price_of))
        .await
        .map_err(io::Error::other)?
}

/// Runs on a worker, which first hands its other tasks to another
/// thread. Panics on a current-thread runtime.
fn in_place() -> io::Result<u32> {
    invoice(|product| {
        let price = price(product);
        task::block_in_place(|| Handle::current().block_on(price))
    })
}

// ANCHOR_END: three_ways

// ANCHOR: by_message
/// Runs on a thread that has no runtime. Panics in a task.
///
/// It waits for each price for at most `limit`. Without a limit, it
/// could wait forever: if the service panics just as it's accepting a
/// request, the request can stay in the channel.
fn by_message(
    prices: &mpsc::Sender<Request>,
    limit: Duration,
) -> io::Result<u32> {
    let stopped = || io::Error::other("no price: the service stopped");
    invoice(|product| {
        let (reply, answer) = std_mpsc::channel();
        let request = (product.to_owned(), reply);
        prices.blocking_send(request).map_err(|_| stopped())?;
        answer.recv_timeout(limit).map_err(io::Error::other)?
    })
}
// ANCHOR_END: by_message

// ANCHOR: price
/// How many threads `price` may block. If it blocked all threads of the
/// blocking pool (512, by default), none could run the tasks that
/// `block_in_place` hands over, and the runtime would hang.
static PLACES: Semaphore = Semaphore::const_new(200);

async fn price(product: &str) -> io::Result<u32> {
    price_within(&PLACES, product).await
}

/// Asks another server, and waits for at most a second, because a
/// thread in `block_on` is blocked all that time. If all places are
/// taken, it returns an error immediately.
async fn price_within(
    places: &Semaphore,
    product: &str,
) -> io::Result<u32> {
    let Ok(_place) = places.try_acquire() else {
        return Err(io::ErrorKind::ResourceBusy.into());
    };
    let limit = Duration::from_secs(1);
    match timeout(limit, ask_the_shop(product)).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{product}: {elapsed}"),
        )),
    }
}
// ANCHOR_END: price

// ANCHOR: service
/// A product, and the reply's channel, whose `send` never waits.
type Request = (String, std_mpsc::Sender<io::Result<u32>>);

/// Enough for a full queue, the request before it, and a second.
const LIMIT: Duration = Duration::from_secs(10);

/// Answers requests sequentially on a separate thread, until every
/// sender is dropped. A panic in `price` fails only its own request.
fn price_service()
-> io::Result<(mpsc::Sender<Request>, thread::JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (sender, mut requests) = mpsc::channel::<Request>(8);
    let serve = async move {
        while let Some((product, reply)) = requests.recv().await {
            let work = async move { price(&product).await };
            let answer = task::spawn(work).await;
            let answer =
                answer.unwrap_or_else(|it| Err(io::Error::other(it)));
            // An error means that the caller no longer waits.
            reply.send(answer).ok();
        }
    };
    let thread = thread::spawn(move || runtime.block_on(serve));
    Ok((sender, thread))
}
// ANCHOR_END: service

/// Another server, which never answers about a bed.
async fn ask_the_shop(product: &str) -> io::Result<u32> {
    task::yield_now().await;
    match product {
        "desk" => Ok(1000),
        "lamp" => Ok(250),
        "bed" => std::future::pending().await,
        "" => panic!("a product without a name"),
        _ => Err(io::Error::other(format!("{product}: not sold"))),
    }
}

fn main() -> io::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    println!("in the pool: {}", runtime.block_on(in_the_pool())?);
    let place = runtime.block_on(runtime.spawn(async { in_place() }));
    println!("in place:    {}", place.map_err(io::Error::other)??);

    let (prices, service) = price_service()?;
    println!("by message:  {}", by_message(&prices, LIMIT)?);
    drop(prices);
    service.join().map_err(|_| io::Error::other("it panicked"))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn edges_called_in_async_code() {
        assert_eq!(in_the_pool().await.ok(), Some(1250));
    }

    #[tokio::test]
    async fn in_place_panics_on_one_thread() {
        let call = task::spawn(async { in_place() });
        assert!(call.await.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_place_stops_its_own_task() {
        let start = Instant::now();
        let short = Duration::from_millis(50);
        let blocks = async {
            task::block_in_place(|| thread::sleep(short));
        };
        let other = async { start.elapsed() };
        let ((), waited) = tokio::join!(biased; blocks, other);
        assert!(waited >= short);
    }

    #[tokio::test]
    async fn a_message_panics_in_a_task() {
        let (prices, _requests) = mpsc::channel(1);
        let call =
            task::spawn(async move { by_message(&prices, LIMIT) });
        assert!(call.await.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_a_second() {
        let start = tokio::time::Instant::now();
        let error = price("bed").await.expect_err("it is silent");
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().starts_with("bed: "), "{error}");
    }

    #[test]
    fn failure_says_which_product() {
        let (prices, service) = price_service().expect("a runtime");
        let (reply, answer) = std_mpsc::channel();
        let request = ("gold".to_owned(), reply);
        prices.blocking_send(request).expect("it serves");
        let answer = answer.recv().expect("it answers");
        let error = answer.expect_err("it isn't sold");
        assert_eq!(error.to_string(), "gold: not sold");
        drop(prices);
        service.join().expect("it does not panic");
    }

    #[test]
    fn owner_gone_is_an_error_and_no_hang() {
        let (prices, requests) = mpsc::channel(1);
        drop(requests);
        let error = by_message(&prices, LIMIT).expect_err("it stopped");
        assert!(error.to_string().contains("stopped"), "{error}");
        // The service takes the request, and ends without an answer.
        let (prices, mut requests) = mpsc::channel(1);
        let service = thread::spawn(move || {
            drop(requests.blocking_recv());
        });
        assert!(by_message(&prices, LIMIT).is_err());
        service.join().expect("it does not panic");
    }

    /// As if the service had stopped between the two steps of a send:
    /// the request stays in the channel, and so does its reply sender.
    #[test]
    fn failure_of_the_service_while_it_accepts_a_request() {
        let (prices, mut requests) = mpsc::channel(1);
        let (done, is_done) = std_mpsc::channel::<()>();
        let service = thread::spawn(move || {
            let request = requests.blocking_recv();
            drop(requests);
            is_done.recv_timeout(Duration::from_secs(20)).ok();
            drop(request);
        });
        let start = Instant::now();
        let limit = Duration::from_millis(50);
        assert!(by_message(&prices, limit).is_err());
        assert!(start.elapsed() < Duration::from_secs(10));
        drop(done);
        service.join().expect("it does not panic");
    }

    #[test]
    fn again_a_caller_that_left_does_not_stop_the_service() {
        let (prices, service) = price_service().expect("a runtime");
        for _ in 0..20 {
            let (reply, answer) = std_mpsc::channel();
            drop(answer);
            let request = ("desk".to_owned(), reply);
            prices.blocking_send(request).expect("it serves");
        }
        assert_eq!(by_message(&prices, LIMIT).ok(), Some(1250));
        drop(prices);
        service.join().expect("it does not panic");
    }

    #[test]
    fn overload_waits_in_the_queue() {
        let (prices, service) = price_service().expect("a runtime");
        thread::scope(|scope| {
            for _ in 0..17 {
                scope.spawn(|| {
                    assert_eq!(
                        by_message(&prices, LIMIT).ok(),
                        Some(1250)
                    );
                });
            }
        });
        drop(prices);
        service.join().expect("it does not panic");
    }

    #[test]
    fn overload_beyond_the_queue_is_refused() {
        let (prices, service) = price_service().expect("a runtime");
        // The service waits a second for the bed.
        let mut accepted = 0;
        let request =
            |product: &str| (product.to_owned(), std_mpsc::channel().0);
        prices.blocking_send(request("bed")).expect("it serves");
        while prices.try_send(request("desk")).is_ok() {
            accepted += 1;
        }
        // Eight in the queue: the bed is one of them, or was.
        assert!((7..=8).contains(&accepted), "{accepted}");
        drop(prices);
        service.join().expect("it does not panic");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn threads_call_in_place_and_in_the_pool() {
        let mut calls = task::JoinSet::new();
        for _ in 0..50 {
            calls.spawn(async { in_place() });
            calls.spawn(in_the_pool());
        }
        while let Some(call) = calls.join_next().await {
            let sum = call.expect("it does not panic");
            assert_eq!(sum.expect("it is sold"), 1250);
        }
    }

    /// More calls than the blocking pool has threads, and no answers.
    #[test]
    fn overload_leaves_a_thread_for_the_timers() {
        static TWO: Semaphore = Semaphore::const_new(2);
        let (done, is_done) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).max_blocking_threads(3);
            let runtime = builder.enable_all().build().expect("one");
            let call = || {
                let bed = price_within(&TWO, "bed");
                let bed = Handle::current().block_on(bed);
                bed.expect_err("it is silent").kind()
            };
            let mut calls = task::JoinSet::new();
            for _ in 0..2 * 3 + 1 {
                let in_place =
                    async move { task::block_in_place(call) };
                calls.spawn_on(in_place, runtime.handle());
                calls.spawn_blocking_on(call, runtime.handle());
            }
            done.send(runtime.block_on(calls.join_all())).ok();
            runtime.shutdown_background();
        });
        let limit = Duration::from_secs(20);
        let kinds = is_done.recv_timeout(limit).expect("no deadlock");
        assert_eq!(kinds.len(), 14);
        assert!(kinds.contains(&io::ErrorKind::ResourceBusy));
    }

    #[tokio::test]
    async fn cancel_leaves_the_library_to_its_thread() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(in_the_pool()).await;
        })
        .await;
        assert_eq!(in_the_pool().await.ok(), Some(1250));
    }

    #[tokio::test]
    async fn panic_of_the_library_is_an_error() {
        let broken =
            || -> io::Result<u32> { panic!("the printer burns") };
        let call = task::spawn_blocking(move || invoice(|_| broken()));
        let error = call.await.map_err(io::Error::other);
        let error = error.expect_err("it panics").to_string();
        assert!(error.contains("the printer burns"), "{error}");
    }

    #[test]
    fn panic_of_a_price_leaves_the_service_running() {
        let (prices, service) = price_service().expect("a runtime");
        let (reply, answer) = std_mpsc::channel();
        let request = (String::new(), reply);
        prices.blocking_send(request).expect("it serves");
        let answer = answer.recv().expect("an answer");
        let error = answer.expect_err("it panics").to_string();
        assert!(error.contains("without a name"), "{error}");
        assert_eq!(by_message(&prices, LIMIT).ok(), Some(1250));
        drop(prices);
        service.join().expect("it does not panic");
    }

    #[test]
    fn stop_of_the_service_answers_what_is_queued() {
        let (prices, service) = price_service().expect("a runtime");
        let queued: Vec<_> = (0..8)
            .map(|_| {
                let (reply, answer) = std_mpsc::channel();
                let request = ("lamp".to_owned(), reply);
                prices.blocking_send(request).expect("it serves");
                answer
            })
            .collect();
        drop(prices);
        for answer in queued {
            let price = answer.recv().expect("an answer");
            assert_eq!(price.ok(), Some(250));
        }
        service.join().expect("it does not panic");
    }
}
