//! Wait for everything that can be waited for.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};

const WAIT: Duration = Duration::from_millis(10);

async fn in_interval() {
    let mut ticks = interval(WAIT);
    ticks.tick().await;
    ticks.tick().await;
}

async fn in_send(values: mpsc::Sender<()>) {
    let _ = values.send(()).await;
    let _ = values.send(()).await;
}

async fn in_join_next() {
    let mut tasks = JoinSet::new();
    tasks.spawn(sleep(WAIT));
    tasks.join_next().await;
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
    .await;
}

async fn in_select(notify: Arc<Notify>) {
    tokio::select! {
        biased;
        () = sleep(WAIT) => {}
        () = notify.notified() => println!("never"),
    }
}

async fn in_join_macro(notify: Arc<Notify>) {
    tokio::join!(
        sleep(WAIT),
        notify.notified(),
    );
}

async fn in_timeout(notify: Arc<Notify>) {
    let _ = timeout(WAIT, async move {
        notify.notified().await;
    })
    .await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let [notify, notify_too, never, never_too] = [(); 4].map(|()| Arc::new(Notify::new()));
    let permits = Arc::new(Semaphore::new(0));
    let mutex = Arc::new(Mutex::new(()));
    let lock = Arc::new(RwLock::new(()));
    let barrier = Arc::new(Barrier::new(2));
    let (one, value) = oneshot::channel::<()>();
    let (many, mut values) = mpsc::channel::<()>(1);
    let (full, _kept) = mpsc::channel(1);
    let (all, mut seen) = broadcast::channel::<()>(1);
    let (state, mut watched) = watch::channel(());
    let guard = Arc::clone(&mutex).lock_owned().await;
    let written = Arc::clone(&lock).write_owned().await;

    let (permits_too, barrier_too) = (Arc::clone(&permits), Arc::clone(&barrier));
    let (notified, notified_too) = (Arc::clone(&notify), Arc::clone(&notify_too));
    tokio::spawn(async { sleep(WAIT).await });
    tokio::spawn(in_interval());
    tokio::spawn(async move { permits_too.acquire().await.is_ok() });
    tokio::spawn(async move { *mutex.lock().await });
    tokio::spawn(async move { *lock.read().await });
    tokio::spawn(async move { barrier_too.wait().await });
    tokio::spawn(async { value.await });
    tokio::spawn(async move { values.recv().await });
    tokio::spawn(in_send(full));
    tokio::spawn(async move { seen.recv().await });
    tokio::spawn(async move { watched.changed().await });
    tokio::spawn(async move { notified.notified().await });
    tokio::spawn(async { tokio::spawn(sleep(WAIT)).await });
    tokio::spawn(in_join_next());
    tokio::spawn(async { yield_now().await });
    tokio::spawn(in_future());
    tokio::spawn(in_select(never));
    tokio::spawn(in_join_macro(notified_too));
    tokio::spawn(in_timeout(never_too));

    sleep(WAIT / 2).await;
    permits.add_permits(1);
    drop((guard, written));
    notify.notify_waiters();
    notify_too.notify_waiters();
    let _ = (one.send(()), many.send(()).await, all.send(()), state.send(()));
    barrier.wait().await;
    sleep(WAIT * 2).await;
    println!("waited");
}
