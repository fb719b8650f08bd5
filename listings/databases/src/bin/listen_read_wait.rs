//! Listen, then read, and only then wait for a notification.

// ANCHOR: follow
use sqlx::{PgPool, postgres::PgListener};

impl Follow {
    /// Ships new orders until it's stopped, and survives errors.
    async fn run(&self, ship: impl AsyncFn(i64) -> Result<(), Failed>) {
        while !self.stop.is_cancelled() {
            if let Err(error) = self.on_one_listener(&ship).await {
                (self.report)(error);
                self.stop.run_until_cancelled(sleep(PAUSE)).await;
            }
        }
    }

    async fn on_one_listener(
        &self,
        ship: impl AsyncFn(i64) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let listens = PgListener::connect(&self.address);
        let mut listener = timeout(self.limit, listens).await??;
        // First, listen.
        timeout(self.limit, listener.listen("orders")).await??;
        while !self.stop.is_cancelled() {
            // Then read, on the listener's own connection.
            let order = next(&mut listener);
            if let Some(order) = timeout(self.limit, order).await?? {
                ship(order).await?;
                let mark = mark_shipped(&self.pool, order);
                timeout(self.limit, mark).await??;
                continue;
            }
            // Then wait. However the wait ends, read again.
            let notified = timeout(self.poll, listener.try_recv());
            let notified = self.stop.run_until_cancelled(notified);
            if let Some(Ok(Err(error))) = notified.await {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
// ANCHOR_END: follow

// ANCHOR: next
async fn next(listener: &mut PgListener) -> sqlx::Result<Option<i64>> {
    // This read replaces all notifications that arrived before it.
    while listener.next_buffered().is_some() {}
    sqlx::query_scalar(
        "SELECT id FROM orders WHERE shipped_at IS NULL
         ORDER BY id LIMIT 1",
    )
    .fetch_optional(listener)
    .await
}
// ANCHOR_END: next

// ANCHOR: settings
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Between an error and the next listener.
const PAUSE: Duration = Duration::from_secs(1);

struct Follow {
    pool: PgPool,
    /// Each listener has its own connection outside the pool: a dead
    /// connection can stay open for many minutes, but takes no slot.
    address: String,
    /// Reads this often without a notification.
    poll: Duration,
    /// A connection that is silent for so long is dead, or waits for a
    /// lock for too long.
    limit: Duration,
    stop: CancellationToken,
    /// Logs an error.
    report: fn(Failed),
}

// ANCHOR_END: settings

// ANCHOR: place
async fn place(pool: &PgPool, order: i64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (id) VALUES ($1)")
        .bind(order)
        .execute(&mut *transaction)
        .await?;
    // Without the order: it's in the table. It's sent at the commit.
    sqlx::query("SELECT pg_notify('orders', '')")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
// ANCHOR_END: place

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Executor,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

async fn mark_shipped(pool: &PgPool, order: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE orders SET shipped_at = now() WHERE id = $1")
        .bind(order)
        .execute(pool)
        .await?;
    Ok(())
}

/// Returns a pool, and an address that gives connections a name.
async fn open(
    server: &str,
    schema: &str,
) -> sqlx::Result<(PgPool, String)> {
    let options = server.parse::<PgConnectOptions>()?;
    let options = options.options([("search_path", schema)]);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        // A `begin` that was dropped leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                let end = timeout(Duration::from_secs(1), end).await;
                end.map_err(std::io::Error::from)??;
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    for statement in [
        format!("CREATE SCHEMA {schema}"),
        "CREATE TABLE orders (id BIGINT PRIMARY KEY,
         shipped_at TIMESTAMPTZ)"
            .to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await?;
    }
    Ok((pool, address(server, schema)))
}

fn address(server: &str, schema: &str) -> String {
    let and = if server.contains('?') { '&' } else { '?' };
    format!(
        "{server}{and}options=-c%20search_path%3D{schema}\
         &application_name={schema}"
    )
}

/// Closes the connections that listen, as a restart or a failover does.
async fn cut(pool: &PgPool, schema: &str) -> sqlx::Result<i64> {
    let cut = "SELECT COUNT(pg_terminate_backend(pid, 10000))
        FROM pg_stat_activity WHERE application_name = $1";
    sqlx::query_scalar(cut).bind(schema).fetch_one(pool).await
}

async fn close(pool: PgPool, schema: &str) -> sqlx::Result<()> {
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Places four orders: before it listens, while it waits, while its
/// connection is lost, and after that. Returns those that are shipped.
async fn run(server: &str, schema: &str) -> sqlx::Result<Vec<i64>> {
    let (pool, address) = open(server, schema).await?;
    place(&pool, 1).await?;
    let follow = Follow {
        pool: pool.clone(),
        address,
        poll: Duration::from_secs(10),
        limit: Duration::from_secs(5),
        stop: CancellationToken::new(),
        // The message depends on the moment.
        report: |_| println!("the connection is lost"),
    };
    let shipped = Mutex::new(Vec::new());
    follow
        .run(async |order| {
            let so_far = {
                let mut shipped = shipped
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                shipped.push(order);
                shipped.len()
            };
            match so_far {
                1 => place(&pool, 2).await?,
                2 => {
                    cut(&pool, schema).await?;
                    place(&pool, 3).await?;
                }
                3 => place(&pool, 4).await?,
                _ => follow.stop.cancel(),
            }
            Ok(())
        })
        .await;
    close(pool, schema).await?;
    Ok(shipped.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let schema = format!("listen_read_{}", std::process::id());
    println!("placed:  [1, 2, 3, 4]");
    println!("shipped: {:?}", run(&server, &schema).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, sync::Arc};

    use super::*;

    /// Runs a test if `DATABASE_URL` names a server, as in `.ci/run`.
    async fn on_server(
        name: &str,
        test: impl AsyncFn(&PgPool, Follow, &str),
    ) -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let schema = format!("listen_{name}_{}", std::process::id());
        let (pool, address) = open(&server, &schema).await?;
        let follow = Follow {
            pool: pool.clone(),
            address,
            poll: Duration::from_secs(30),
            limit: Duration::from_secs(5),
            stop: CancellationToken::new(),
            report: |error| eprintln!("{error}"),
        };
        let limit = Duration::from_secs(20);
        timeout(limit, test(&pool, follow, &schema))
            .await
            .expect("it doesn't wait for the next poll");
        close(pool, &schema).await
    }

    async fn shipped(pool: &PgPool) -> i64 {
        let count = "SELECT COUNT(shipped_at) FROM orders";
        let count = sqlx::query_scalar(count).fetch_one(pool);
        count.await.expect("orders")
    }

    async fn until_shipped(pool: &PgPool, expected: i64) {
        while shipped(pool).await < expected {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn fine(_: i64) -> Result<(), Failed> {
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_connection_loses_no_order()
    -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            return Ok(()); // Other tests say so.
        };
        let schema = format!("listen_run_{}", std::process::id());
        assert_eq!(run(&server, &schema).await?, [1, 2, 3, 4]);
        Ok(())
    }

    /// At random moments, while orders are placed.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_connections_that_are_cut() -> sqlx::Result<()>
    {
        on_server("cut", async |pool, follow, schema| {
            let orders = async {
                for order in 1..=60 {
                    place(pool, order).await.expect("placed");
                    let pause = fastrand::u64(0..10);
                    sleep(Duration::from_millis(pause)).await;
                    if order % 10 == 0 {
                        cut(pool, schema).await.expect("cut");
                    }
                }
                until_shipped(pool, 60).await;
                follow.stop.cancel();
            };
            tokio::join!(follow.run(fine), orders);
        })
        .await
    }

    #[tokio::test]
    async fn cancel_and_the_next_one_finds_all() -> sqlx::Result<()> {
        on_server("cancel", async |pool, follow, _| {
            let following = |stop: &CancellationToken| Follow {
                pool: pool.clone(),
                address: follow.address.clone(),
                poll: follow.poll,
                limit: follow.limit,
                stop: stop.clone(),
                report: follow.report,
            };
            let mut orders = 0;
            hazards::at_every_poll(async |cancel| {
                orders += 1;
                place(pool, orders).await.expect("placed");
                let stop = CancellationToken::new();
                let one = following(&stop);
                let one = one.run(async |_| {
                    stop.cancel();
                    Ok(())
                });
                cancel.run(one).await;
            })
            .await;
            let stop = CancellationToken::new();
            let rest = following(&stop);
            tokio::join!(rest.run(fine), async {
                until_shipped(pool, orders).await;
                stop.cancel();
            });
        })
        .await
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &PgPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
        let check = async {
            {
                let mut one = pool.acquire().await.expect("it");
                let slowly = "BEGIN; SELECT pg_sleep(0.05)";
                assert!(
                    one.begin_with(slowly).now_or_never().is_none()
                );
            }
            let mut all = Vec::new();
            for _ in 0..4 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE orders SET id = id WHERE id = 0";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_of_an_order_places_it_or_not() -> sqlx::Result<()> {
        on_server("place", async |pool, follow, _| {
            place(pool, 0).await.expect("placed");
            let mut orders = 0;
            hazards::at_every_poll(async |cancel| {
                orders += 1;
                let placed = cancel.run(place(pool, orders)).await;
                all_are_clean(pool).await;
                let again = place(pool, orders).await;
                assert!(placed.is_none() || again.is_err());
            })
            .await;
            tokio::join!(follow.run(fine), async {
                until_shipped(pool, orders + 1).await;
                follow.stop.cancel();
            });
        })
        .await
    }

    #[tokio::test]
    async fn stop_while_it_waits() -> sqlx::Result<()> {
        on_server("stop", async |pool, follow, _| {
            let (first, second) = (follow.run(fine), async {
                place(pool, 1).await.expect("placed");
                until_shipped(pool, 1).await;
                sleep(Duration::from_millis(50)).await;
                follow.stop.cancel();
            });
            tokio::join!(first, second);
            // Stopped before it starts, it ships nothing.
            place(pool, 2).await.expect("placed");
            follow.run(fine).await;
            assert_eq!(shipped(pool).await, 1);
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_a_shipment_is_tried_again() -> sqlx::Result<()>
    {
        on_server("failure", async |pool, follow, _| {
            place(pool, 1).await.expect("placed");
            let tries = Mutex::new(0);
            let ship = async |_| {
                let mut tries = tries
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *tries += 1;
                match *tries {
                    1 => Err("no truck".into()),
                    _ => {
                        follow.stop.cancel();
                        Ok(())
                    }
                }
            };
            follow.run(ship).await;
            assert_eq!(shipped(pool).await, 1);
        })
        .await
    }

    #[tokio::test]
    async fn panic_of_a_shipment_loses_no_order() -> sqlx::Result<()> {
        on_server("panic", async |pool, follow, _| {
            place(pool, 1).await.expect("placed");
            let panics = std::panic::AssertUnwindSafe(
                follow.run(async |_| panic!("a bug")),
            );
            let panicked = panics.catch_unwind().await;
            panicked.expect_err("a panic");
            tokio::join!(follow.run(fine), async {
                until_shipped(pool, 1).await;
                follow.stop.cancel();
            });
        })
        .await
    }

    use futures::FutureExt as _;

    /// Another transaction locks the table while an order is shipped.
    #[tokio::test]
    async fn silence_of_a_lock_is_reported() -> sqlx::Result<()> {
        on_server("locked", async |pool, mut follow, _| {
            follow.limit = Duration::from_millis(300);
            place(pool, 1).await.expect("placed");
            let mut locked = pool.begin().await.expect("a transaction");
            let lock = "LOCK TABLE orders IN EXCLUSIVE MODE";
            sqlx::query(lock).execute(&mut *locked).await.expect("it");
            // It can be read, but not marked.
            let failed = follow.on_one_listener(fine).await;
            let failed = failed.expect_err("a lock");
            assert!(failed.is::<tokio::time::error::Elapsed>());
            locked.rollback().await.expect("unlocked");
            tokio::join!(follow.run(fine), async {
                until_shipped(pool, 1).await;
                follow.stop.cancel();
            });
        })
        .await
    }

    /// An order that can never be shipped holds up the later ones.
    #[tokio::test]
    async fn failure_of_one_order_holds_up_the_others()
    -> sqlx::Result<()> {
        on_server("poison", async |pool, follow, _| {
            place(pool, 1).await.expect("placed");
            place(pool, 2).await.expect("placed");
            let tries = Mutex::new(0);
            let ship = async |order| {
                assert_eq!(order, 1);
                let mut tries = tries
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *tries += 1;
                if *tries == 3 {
                    follow.stop.cancel();
                }
                Err("no address".into())
            };
            follow.run(ship).await;
            assert_eq!(shipped(pool).await, 0);
        })
        .await
    }

    /// A thousand hints arrive during one shipment, and don't cause a
    /// thousand reads. (Other tests notify the same channel.)
    #[tokio::test]
    async fn slow_shipments_leave_no_hints() -> sqlx::Result<()> {
        on_server("hints", async |pool, follow, _| {
            for statement in [
                "ALTER TABLE orders RENAME TO stored",
                "CREATE SEQUENCE statements",
                "CREATE VIEW orders AS SELECT id, shipped_at FROM stored
                 WHERE (SELECT nextval('statements')) > 0",
            ] {
                pool.execute(statement).await.expect("created");
            }
            place(pool, 1).await.expect("placed");
            let shipped = CancellationToken::new();
            let ship = async |_| {
                let hints = "SELECT pg_notify('orders', hint::TEXT)
                    FROM generate_series(1, 1000) AS hint";
                pool.execute(hints).await?;
                shipped.cancel();
                Ok(())
            };
            tokio::join!(follow.run(ship), async {
                shipped.cancelled().await;
                sleep(Duration::from_secs(1)).await;
                follow.stop.cancel();
            });
            let statements = "SELECT last_value FROM statements";
            let statements = sqlx::query_scalar(statements);
            let statements: i64 =
                statements.fetch_one(pool).await.expect("a number");
            assert!(statements < 500, "{statements}");
        })
        .await
    }

    /// Faster than it can ship: one at a time is in memory.
    #[tokio::test]
    async fn slow_shipments_lose_no_order() -> sqlx::Result<()> {
        on_server("slow", async |pool, follow, _| {
            for order in 1..=50 {
                place(pool, order).await.expect("placed");
            }
            let ship = async |order| {
                sleep(Duration::from_millis(2)).await;
                if order == 1 {
                    for order in 51..=100 {
                        place(pool, order).await?;
                    }
                }
                if order == 100 {
                    follow.stop.cancel();
                }
                Ok(())
            };
            follow.run(ship).await;
            assert_eq!(shipped(pool).await, 100);
        })
        .await
    }

    /// The network repeatedly drops all packets of the listener's
    /// connection.
    #[tokio::test(flavor = "multi_thread")]
    async fn silence_of_the_network_is_noticed() -> sqlx::Result<()> {
        on_server("silence", async |pool, mut follow, schema| {
            let folder = tempfile::tempdir().expect("a folder");
            let frozen = Arc::new(Mutex::new(CancellationToken::new()));
            let server = std::env::var("DATABASE_URL").expect("set");
            let options: PgConnectOptions =
                server.parse().expect("an address");
            let proxy = proxy(&options, folder.path(), &frozen);
            let proxy = tokio::spawn(proxy);
            let and = if server.contains('?') { '&' } else { '?' };
            let host = folder.path().display();
            let server = format!("{server}{and}host={host}");
            follow.address = address(&server, schema);
            follow.poll = Duration::from_millis(100);
            follow.limit = Duration::from_millis(500);
            tokio::join!(follow.run(fine), async {
                for order in 1..=4 {
                    place(pool, order).await.expect("placed");
                    until_shipped(pool, order).await;
                    let mut frozen = frozen.lock().expect("no panic");
                    std::mem::take(&mut *frozen).cancel();
                }
                follow.stop.cancel();
            });
            proxy.abort();
        })
        .await
    }

    /// Forwards the bytes of each connection until its token is
    /// canceled. From then on, the connection is silent.
    fn proxy(
        server: &PgConnectOptions,
        folder: &std::path::Path,
        frozen: &Arc<Mutex<CancellationToken>>,
    ) -> impl Future<Output = std::io::Result<()>> + use<> {
        let (port, host) = (server.get_port(), server.get_host());
        let file = format!(".s.PGSQL.{port}");
        let listener =
            tokio::net::UnixListener::bind(folder.join(&file));
        let listener = listener.expect("a socket");
        let socket = server.get_socket().map(|it| it.join(file));
        let (host, frozen) = (host.to_owned(), Arc::clone(frozen));
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await?;
                let (socket, host) = (socket.clone(), host.clone());
                let frozen = frozen.lock().expect("no panic").clone();
                tasks.spawn(async move {
                    if let Some(socket) = socket {
                        let server = UnixStream::connect(socket);
                        forward(client, server.await?, frozen).await;
                    } else {
                        let server = TcpStream::connect((&*host, port));
                        forward(client, server.await?, frozen).await;
                    }
                    std::io::Result::Ok(())
                });
            }
        }
    }

    async fn forward(
        mut client: impl AsyncRead + AsyncWrite + Unpin,
        mut server: impl AsyncRead + AsyncWrite + Unpin,
        frozen: CancellationToken,
    ) {
        let copy = copy_bidirectional(&mut client, &mut server);
        if frozen.run_until_cancelled(copy).await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    use tokio::{
        io::{AsyncRead, AsyncWrite, copy_bidirectional},
        net::{TcpStream, UnixStream},
    };
}
