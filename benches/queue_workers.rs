//! What more worker processes do for a job queue in a database: PostgreSQL if `DATABASE_URL` names a server, and SQLite.

use criterion::{BenchmarkId, Criterion, criterion_group};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyPool, AssertSqlSafe};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

const JOBS: u32 = 40;
const PROCESSES: [(&str, usize); 4] = [("one", 1), ("two", 2), ("four", 4), ("eight", 8)];
/// How long a job waits, as for another service.
const WAITS: [(&str, &str); 2] = [("waits", "5"), ("empty", "0")];

const ADDRESS: &str = "QUEUE_WORKERS_ADDRESS";
const WAIT: &str = "QUEUE_WORKERS_WAIT";
const SCHEMA: &str = "queue_workers";

async fn open(address: &str) -> AnyPool {
    install_default_drivers();
    AnyPoolOptions::new()
        .max_connections(1)
        .connect(address)
        .await
        .expect("a database")
}

/// The statement of the listing `job_queue`, with the words of either database.
fn claim(address: &str) -> String {
    let (now, skip_locked) = match address.starts_with("sqlite:") {
        true => ("CAST(unixepoch('subsec') * 1000 AS INTEGER)", ""),
        false => (
            "(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
            "FOR UPDATE OF job SKIP LOCKED",
        ),
    };
    format!(
        "UPDATE jobs SET attempts = attempts + 1, token = token + 1, visible_at = {now} + 30000
         WHERE id = (
             SELECT id FROM jobs AS job
             WHERE state = 'open' AND visible_at <= {now}
             AND NOT EXISTS (
                 SELECT 1 FROM jobs AS older
                 WHERE older.lane = job.lane AND older.id < job.id AND older.state <> 'done')
             ORDER BY visible_at, id LIMIT 1 {skip_locked})
         RETURNING id, token"
    )
}

/// A worker process: does jobs until its stdin is closed.
async fn work(address: &str, wait: Duration) {
    let pool = open(address).await;
    let claim = claim(address);
    let done = "UPDATE jobs SET state = 'done' WHERE id = $1 AND token = $2 AND state = 'open'";
    loop {
        let claimed = sqlx::query_as(AssertSqlSafe(&*claim));
        let claimed: Vec<(i64, i64)> = claimed.fetch_all(&pool).await.expect("a claim");
        let Some((id, token)) = claimed.first() else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let done = sqlx::query(done).bind(id).bind(token);
        done.execute(&pool).await.expect("it can be recorded");
    }
}

fn start(address: &str, wait: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .env(ADDRESS, address)
        .env(WAIT, wait)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a worker process")
}

async fn create(pool: &AnyPool, address: &str) {
    let schema = format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}");
    let (before, id) = match address.starts_with("sqlite:") {
        true => (
            "PRAGMA journal_mode = WAL".to_owned(),
            "INTEGER PRIMARY KEY AUTOINCREMENT",
        ),
        false => (schema, "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    };
    let table = format!(
        "CREATE TABLE jobs (id {id}, lane TEXT, state TEXT NOT NULL DEFAULT 'open',
         attempts BIGINT NOT NULL DEFAULT 0, token BIGINT NOT NULL DEFAULT 0,
         visible_at BIGINT NOT NULL DEFAULT 0);
         CREATE INDEX visible ON jobs (visible_at, id) WHERE state = 'open'"
    );
    for statements in [before, table] {
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(pool)
            .await
            .expect("a queue");
    }
}

/// How long the workers need for some jobs, which are added in one statement.
async fn drain(pool: &AnyPool, empty: &str) -> Duration {
    let rows = vec!["('open')"; JOBS as usize].join(", ");
    let add = format!("INSERT INTO jobs (state) VALUES {rows}");
    let run = async |statement: &str| {
        let ran = sqlx::query(AssertSqlSafe(statement)).execute(pool).await;
        ran.expect("it can be changed");
    };
    run(empty).await;
    run(&add).await;
    let start = Instant::now();
    let open = "SELECT COUNT(*) FROM jobs WHERE state = 'open'";
    loop {
        let open = sqlx::query_scalar::<_, i64>(open).fetch_one(pool).await;
        if open.expect("a number") == 0 {
            return start.elapsed();
        }
        sleep(Duration::from_millis(1)).await;
    }
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, database: &str, address: &str) {
    let mut group = criterion.benchmark_group("queue_workers");
    let pool = runtime.block_on(open(address));
    runtime.block_on(create(&pool, address));
    // The rows of earlier rounds must not slow down the next round.
    let empty = match address.starts_with("sqlite:") {
        true => "DELETE FROM jobs",
        false => "TRUNCATE jobs",
    };
    for (job, wait) in WAITS {
        for (name, processes) in PROCESSES {
            let workers: Vec<_> = (0..processes).map(|_| start(address, wait)).collect();
            // They are all connected once they have done something.
            runtime.block_on(async {
                sleep(Duration::from_millis(300)).await;
                drain(&pool, empty).await
            });
            let id = BenchmarkId::new(name, format!("{database}_{job}"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|rounds| {
                    runtime.block_on(async {
                        let mut taken = Duration::ZERO;
                        for _ in 0..rounds {
                            taken += drain(&pool, empty).await;
                        }
                        taken
                    })
                });
            });
            for mut worker in workers {
                drop(worker.stdin.take());
                worker.wait().expect("it ends");
            }
        }
    }
    if !address.starts_with("sqlite:") {
        let drop = format!("DROP SCHEMA {SCHEMA} CASCADE");
        let drop = sqlx::query(AssertSqlSafe(drop)).execute(&pool);
        runtime.block_on(drop).expect("it can be removed");
    }
    runtime.block_on(pool.close());
    group.finish();
}

fn queue_workers(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("queue.db");
    let sqlite = format!("sqlite://{}?mode=rwc", file.display());
    measure(criterion, &runtime, "sqlite", &sqlite);
    if let Ok(server) = std::env::var("DATABASE_URL") {
        let and = if server.contains('?') { '&' } else { '?' };
        let address = format!("{server}{and}options[search_path]={SCHEMA}");
        measure(criterion, &runtime, "postgresql", &address);
    }
}

criterion_group!(benches, queue_workers);

fn main() {
    let Ok(address) = std::env::var(ADDRESS) else {
        benches();
        Criterion::default().configure_from_args().final_summary();
        return;
    };
    std::thread::spawn(|| {
        // Its parent has finished, or died.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let wait = std::env::var(WAIT).map(|it| it.parse());
    let wait = Duration::from_millis(wait.expect("a wait").expect("a number"));
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work(&address, wait));
}
