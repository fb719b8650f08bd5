//! Wait for everything that can be waited for.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};

const WAIT: Duration = Duration::from_millis(10);

async fn in_sleep() {
    sleep(WAIT).await; // in_sleep
}

async fn in_interval() {
    let mut ticks = interval(WAIT);
    ticks.tick().await;
    ticks.tick().await; // in_interval
}

async fn in_semaphore(permits: Arc<Semaphore>) {
    let _permit = permits.acquire().await; // in_semaphore
}

async fn in_mutex(mutex: Arc<Mutex<()>>) {
    let _guard = mutex.lock().await; // in_mutex
}

async fn in_rw_lock(lock: Arc<RwLock<()>>) {
    let _guard = lock.read().await; // in_rw_lock
}

async fn in_barrier(barrier: Arc<Barrier>) {
    barrier.wait().await; // in_barrier
}

async fn in_oneshot(value: oneshot::Receiver<()>) {
    let _ = value.await; // in_oneshot
}

async fn in_receive(mut values: mpsc::Receiver<()>) {
    values.recv().await; // in_receive
}

async fn in_send(values: mpsc::Sender<()>) {
    let _ = values.send(()).await;
    let _ = values.send(()).await; // in_send
}

async fn in_broadcast(mut values: broadcast::Receiver<()>) {
    let _ = values.recv().await; // in_broadcast
}

async fn in_watch(mut value: watch::Receiver<()>) {
    let _ = value.changed().await; // in_watch
}

async fn in_notify(notify: Arc<Notify>) {
    notify.notified().await; // in_notify
}

async fn in_join() {
    let other = tokio::spawn(sleep(WAIT));
    let _ = other.await; // in_join
}

async fn in_join_next() {
    let mut tasks = JoinSet::new();
    tasks.spawn(sleep(WAIT));
    tasks.join_next().await; // in_join_next
}

async fn in_yield() {
    yield_now().await; // in_yield
}

async fn in_future() {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await; // in_future
}

async fn in_select(notify: Arc<Notify>) {
    tokio::select! {
        biased;
        () = sleep(WAIT) => {} // in_select 1
        () = notify.notified() => println!("never"),
    }
}

async fn in_join_macro(notify: Arc<Notify>) {
    tokio::join!(
        sleep(WAIT), // in_join_macro 1
        notify.notified(),
    );
}

async fn in_timeout(notify: Arc<Notify>) {
    let _ = timeout(WAIT, async move {
        notify.notified().await; // in a block
    })
    .await; // in_timeout
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let notify = Arc::new(Notify::new());
    let never = Arc::new(Notify::new());
    let permits = Arc::new(Semaphore::new(0));
    let mutex = Arc::new(Mutex::new(()));
    let lock = Arc::new(RwLock::new(()));
    let barrier = Arc::new(Barrier::new(2));
    let (one, value) = oneshot::channel();
    let (many, values) = mpsc::channel(1);
    let (full, _kept) = mpsc::channel(1);
    let (all, seen) = broadcast::channel(1);
    let (state, watched) = watch::channel(());
    let guard = mutex.lock().await;
    let written = lock.write().await;

    tokio::spawn(in_sleep());
    tokio::spawn(in_interval());
    tokio::spawn(in_semaphore(Arc::clone(&permits)));
    tokio::spawn(in_mutex(Arc::clone(&mutex)));
    tokio::spawn(in_rw_lock(Arc::clone(&lock)));
    tokio::spawn(in_barrier(Arc::clone(&barrier)));
    tokio::spawn(in_oneshot(value));
    tokio::spawn(in_receive(values));
    tokio::spawn(in_send(full));
    tokio::spawn(in_broadcast(seen));
    tokio::spawn(in_watch(watched));
    tokio::spawn(in_notify(Arc::clone(&notify)));
    tokio::spawn(in_join());
    tokio::spawn(in_join_next());
    tokio::spawn(in_yield());
    tokio::spawn(in_future());
    tokio::spawn(in_select(Arc::clone(&never)));
    tokio::spawn(in_join_macro(Arc::clone(&notify)));
    tokio::spawn(in_timeout(never));

    sleep(WAIT / 2).await;
    permits.add_permits(1);
    drop((guard, written));
    notify.notify_waiters();
    let _ = (one.send(()), many.send(()).await, all.send(()), state.send(()));
    barrier.wait().await;
    sleep(WAIT * 2).await;
    println!("waited");
}
