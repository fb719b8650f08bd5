//! A liveness probe that fails when a task has ended or hangs.

// ANCHOR: health
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant};

/// When the next sign of life of each task is due. `None`: it has ended.
type Due = BTreeMap<&'static str, Option<Instant>>;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Clone, Default)]
struct Health(Arc<Mutex<Due>>);

impl Health {
    /// A task that must show a sign of life within every `limit`. Panics
    /// if another task has this name: it would hide the end of this one.
    fn task(&self, name: &'static str, limit: Duration) -> Beat {
        // Zero would always be late, and `Duration::MAX` overflows.
        let limit = limit.clamp(Duration::from_millis(10), YEAR);
        let mut all = self.lock(); // Held until the name is taken.
        let taken = all.get(name).is_some_and(Option::is_some);
        assert!(!taken, "two tasks are named {name}");
        all.insert(name, Some(Instant::now() + limit));
        Beat { name, limit, health: self.clone() }
    }

    /// The tasks that have ended or are late.
    fn dead(&self) -> Vec<&'static str> {
        let late = |due: Instant| due < Instant::now();
        let due = self.lock();
        let dead = due.iter().filter(|(_, due)| due.is_none_or(late));
        dead.map(|(name, _)| *name).collect()
    }
    // ANCHOR_END: health

    fn lock(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: beat
/// Belongs to the task. If dropped, the task counts as ended.
struct Beat {
    name: &'static str,
    limit: Duration,
    health: Health,
}

impl Beat {
    fn now(&self) {
        let due = Instant::now() + self.limit;
        self.health.lock().insert(self.name, Some(due));
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.health.lock().insert(self.name, None);
    }
}

/// The liveness probe.
async fn live(State(health): State<Health>) -> (StatusCode, String) {
    match &*health.dead() {
        [] => (StatusCode::OK, "ok".to_owned()),
        dead => (StatusCode::SERVICE_UNAVAILABLE, dead.join(", ")),
    }
}
// ANCHOR_END: beat

// ANCHOR: import
/// Imports orders until the queue is closed. The loop that does the work
/// also sends the signs of life, even if there is nothing to do.
async fn import(mut orders: mpsc::Receiver<Order>, beat: Beat) {
    let mut idle = interval(beat.limit / 3);
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => store(order).await,
                None => return,
            },
            _ = idle.tick() => {}
        }
        beat.now();
    }
}
// ANCHOR_END: import

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep},
};
use tower::ServiceExt;

enum Order {
    Good,
    Hangs,
    Panics,
}

async fn store(order: Order) {
    match order {
        Order::Good => {}
        Order::Hangs => std::future::pending().await,
        Order::Panics => std::panic::resume_unwind(Box::new("a bug")),
    }
}

fn routes(health: &Health) -> Router {
    let routes = Router::new().route("/live", get(live));
    routes.with_state(health.clone())
}

/// What the liveness probe gets.
async fn probed(health: &Health) -> Result<String, axum::Error> {
    let request = http::Request::get("/live")
        .body(axum::body::Body::empty())
        .map_err(axum::Error::new)?;
    let answered = routes(health).oneshot(request).await;
    let response = answered.unwrap_or_else(|never| match never {});
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1000).await?;
    Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (health, mut tasks) = (Health::default(), JoinSet::new());
    let mut start = |name| {
        let (orders, imported) = mpsc::channel(10);
        let beat = health.task(name, Duration::from_secs(30));
        tasks.spawn(import(imported, beat));
        orders
    };
    let (shop, partner) =
        (start("import shop"), start("import partner"));
    sleep(Duration::from_secs(600)).await;
    println!("idle: {}", probed(&health).await?);
    shop.send(Order::Good).await?;
    shop.send(Order::Panics).await?;
    sleep(Duration::from_secs(1)).await;
    println!("one panicked: {}", probed(&health).await?);
    partner.send(Order::Hangs).await?;
    sleep(Duration::from_secs(31)).await;
    println!("the other one hangs: {}", probed(&health).await?);
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    type Started = (Health, mpsc::Sender<Order>, JoinSet<()>);

    fn started() -> Started {
        let (health, mut tasks) = (Health::default(), JoinSet::new());
        let (orders, imported) = mpsc::channel(10);
        tasks.spawn(import(imported, health.task("import", LIMIT)));
        (health, orders, tasks)
    }

    async fn is(health: &Health, expected: &str) {
        let answer = probed(health).await.expect("an answer");
        assert_eq!(answer, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_task_fails_the_probe() {
        let (health, orders, _tasks) = started();
        is(&health, "200 ok").await;
        orders.send(Order::Panics).await.expect("open");
        sleep(Duration::from_secs(1)).await;
        is(&health, "503 import").await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_task_fails_the_probe_but_not_of_its_clients()
    {
        let (health, orders, _tasks) = started();
        sleep(hazards::HOUR).await;
        is(&health, "200 ok").await;
        orders.send(Order::Hangs).await.expect("open");
        sleep(LIMIT + Duration::from_secs(1)).await;
        is(&health, "503 import").await;
    }

    #[tokio::test(start_paused = true)]
    async fn failure_and_a_return_count_as_ended() {
        let (health, orders, mut tasks) = started();
        drop(orders);
        tasks.join_next().await.expect("one").expect("no panic");
        is(&health, "503 import").await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_task_fails_the_probe() {
        hazards::at_every_poll(async |cancel| {
            let health = Health::default();
            let (orders, imported) = mpsc::channel(10);
            orders.send(Order::Good).await.expect("open");
            let orders = tokio::spawn(async move {
                sleep(LIMIT).await;
                drop(orders);
            });
            let beat = health.task("import", LIMIT);
            is(&health, "200 ok").await;
            cancel.run(import(imported, beat)).await;
            is(&health, "503 import").await;
            orders.abort();
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_and_fails_the_probe() {
        let (health, _orders, tasks) = started();
        drop(tasks);
        hazards::no_task_left().await;
        is(&health, "503 import").await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_task_that_restarts_is_alive() {
        let (health, orders, mut tasks) = started();
        orders.send(Order::Panics).await.expect("open");
        assert!(tasks.join_next().await.expect("one").is_err());
        is(&health, "503 import").await;
        let (_orders, imported) = mpsc::channel(10);
        tasks.spawn(import(imported, health.task("import", LIMIT)));
        is(&health, "200 ok").await;
    }

    /// A busy loop beats as well as an idle one.
    #[tokio::test(start_paused = true)]
    async fn overload_does_not_fail_the_probe() {
        let (health, orders, _tasks) = started();
        let start = Instant::now();
        while start.elapsed() < 3 * LIMIT {
            for _ in 0..10 {
                orders.send(Order::Good).await.expect("open");
            }
            is(&health, "200 ok").await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// The signs of life of one would hide the end of the other.
    #[tokio::test(start_paused = true)]
    #[should_panic = "two tasks are named import"]
    async fn edges_two_tasks_of_one_name_are_refused() {
        let health = Health::default();
        let _first = health.task("import", LIMIT);
        let _second = health.task("import", LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_limit() {
        for limit in [Duration::ZERO, Duration::MAX] {
            let (health, mut tasks) =
                (Health::default(), JoinSet::new());
            let (_orders, imported) = mpsc::channel(10);
            tasks.spawn(import(imported, health.task("import", limit)));
            sleep(LIMIT).await;
            is(&health, "200 ok").await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_task_is_alive() {
        is(&Health::default(), "200 ok").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_report_their_own_tasks() {
        let (health, mut tasks) = (Health::default(), JoinSet::new());
        for name in ["a", "b", "c", "d"] {
            let beat = health.task(name, hazards::HOUR);
            tasks.spawn(async move {
                for _ in 0..1000 {
                    beat.now();
                }
                (name == "b").then_some(beat)
            });
        }
        let kept = tasks.join_all().await;
        assert_eq!(health.dead(), ["a", "c", "d"]);
        drop(kept);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_limit_is_exact() {
        let health = Health::default();
        let _beat = health.task("import", LIMIT);
        tokio::time::advance(LIMIT).await;
        is(&health, "200 ok").await;
        tokio::time::advance(Duration::from_millis(1)).await;
        is(&health, "503 import").await;
    }
}
