//! Check every interleaving of two callers with loom.

use std::sync::{
    Arc as StdArc,
    atomic::{AtomicUsize as Count, Ordering::Relaxed},
};

use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

// ANCHOR: guards
/// One connection, and one permit for it.
struct Pool {
    idle: Mutex<Option<Vec<Connection>>>,
    free: AtomicUsize,
}

/// As in the pool: the body of `drop`, and then the last field.
struct Pooled {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: Permit,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.put(self.connection.take());
    }
}

/// Wrong: the permit is back before the connection.
struct TooEarly {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    permit: Option<Permit>,
}

impl Drop for TooEarly {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.pool.put(self.connection.take());
    }
}
// ANCHOR_END: guards

/// Replaces Tokio's permit, because loom knows only its own types.
struct Permit(Arc<Pool>);

impl Permit {
    fn acquire(pool: &Arc<Pool>) -> Self {
        let take = |free: usize| free.checked_sub(1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        while pool.free.fetch_update(set, fetch, take).is_err() {
            thread::yield_now();
        }
        Self(Arc::clone(pool))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::AcqRel);
    }
}

/// Counts those that are open.
struct Connection(StdArc<Count>);

impl Connection {
    fn open(count: &StdArc<Count>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(StdArc::clone(count))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Pool {
    fn new(open: &StdArc<Count>) -> Arc<Self> {
        let idle = Some(vec![Connection::open(open)]);
        let (idle, free) = (Mutex::new(idle), AtomicUsize::new(1));
        Arc::new(Self { idle, free })
    }

    fn put(&self, connection: Option<Connection>) {
        let mut idle = self.idle.lock().expect("no panic");
        if let Some(idle) = &mut *idle {
            idle.extend(connection);
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().expect("no panic");
        idle.as_mut().and_then(Vec::pop)
    }

    fn close(&self) {
        let idle = self.idle.lock().expect("no panic").take();
        drop(idle);
    }
}

// ANCHOR: model
type Lend<G> = fn(Arc<Pool>, Option<Connection>, Permit) -> G;

/// Runs two callers in every possible order. Returns the number of
/// orders, and of those in which a permit has no connection.
fn try_every_order<G: 'static>(lend: Lend<G>) -> (usize, usize) {
    let orders = StdArc::new(Count::new(0));
    let broken = StdArc::new(Count::new(0));
    let (counts, breaks) =
        (StdArc::clone(&orders), StdArc::clone(&broken));
    loom::model(move || {
        let open = StdArc::default();
        let pool = Pool::new(&open);
        let caller = || {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let permit = Permit::acquire(&pool);
                let connection = pool.take();
                let is_there = connection.is_some();
                drop(lend(pool, connection, permit));
                is_there
            })
        };
        let callers = [caller(), caller()];
        let there =
            callers.map(|caller| caller.join().expect("no panic"));
        counts.fetch_add(1, Relaxed);
        breaks.fetch_add(usize::from(there != [true; 2]), Relaxed);
        assert_eq!(open.load(Relaxed), 1);
    });
    (orders.load(Relaxed), broken.load(Relaxed))
}
// ANCHOR_END: model

fn pooled(
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: Permit,
) -> Pooled {
    Pooled { connection, pool, _permit }
}

fn too_early(
    pool: Arc<Pool>,
    connection: Option<Connection>,
    permit: Permit,
) -> TooEarly {
    TooEarly { connection, pool, permit: Some(permit) }
}

/// The pool is closed while a connection comes back. In how many
/// orders can that be, and in how many is it left open?
fn close_in_every_order() -> (usize, usize) {
    let orders = StdArc::new(Count::new(0));
    let left_open = StdArc::new(Count::new(0));
    let (counts, left) =
        (StdArc::clone(&orders), StdArc::clone(&left_open));
    loom::model(move || {
        let open = StdArc::default();
        let pool = Pool::new(&open);
        let permit = Permit::acquire(&pool);
        let lent = pooled(Arc::clone(&pool), pool.take(), permit);
        let caller = thread::spawn(move || drop(lent));
        pool.close();
        caller.join().expect("no panic");
        counts.fetch_add(1, Relaxed);
        left.fetch_add(open.load(Relaxed), Relaxed);
    });
    (orders.load(Relaxed), left_open.load(Relaxed))
}

fn main() {
    let (orders, broken) = try_every_order(too_early);
    println!("permit first: no connection in {broken} of {orders}");
    let (orders, broken) = try_every_order(pooled);
    println!("connection first: {broken} of {orders}");
    let (orders, left) = close_in_every_order();
    println!("closed meanwhile: left open in {left} of {orders}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_order_is_found() {
        let (orders, broken) = try_every_order(too_early);
        assert!(broken > 0 && broken < orders, "{broken} of {orders}");
    }

    #[test]
    fn in_every_order_a_permit_has_its_connection() {
        let (orders, broken) = try_every_order(pooled);
        assert!(orders > 1, "{orders}");
        assert_eq!(broken, 0);
    }

    #[test]
    fn none_is_left_open() {
        let (orders, left) = close_in_every_order();
        assert!(orders > 1, "{orders}");
        assert_eq!(left, 0);
    }
}
