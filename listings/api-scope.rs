// Under these lines the pages' [`JoinSet::join_next`] is understood: what stands here is named without its
// path. rustdoc reads this file; it belongs to no crate.
use futures::stream::StreamExt;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio::{join, select, try_join};
use tokio_util::task::{JoinMap, JoinQueue};
