// Under these lines the pages' [`JoinSet::join_next`] is understood: what stands here is named without its
// path. rustdoc reads this file; it belongs to no crate.
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{
    Notify, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{
    Interval, MissedTickBehavior, interval, sleep, timeout, timeout_at,
};
use tokio::{join, select, try_join};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{
    AbortOnDropHandle, JoinMap, JoinQueue, TaskTracker,
};
