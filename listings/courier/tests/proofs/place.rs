//! Where a test's database is: a folder, or a database of its own on a PostgreSQL server.

use std::{env, path::PathBuf, process, thread};

use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

/// A database, and a folder for logs and the configuration. Dropping it removes all of that.
pub struct Place {
    /// What courier gets as `--database`.
    pub database: String,
    folder: TempDir,
    /// The server's own database, from which this one is dropped.
    server: Option<(Url, String)>,
}

impl Place {
    /// A SQLite database in a new folder.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("courier.db");
        let database = format!("sqlite://{}", file.display());
        Self { database, folder, server: None }
    }

    /// A SQLite database in a folder that exists, such as that of another file system.
    pub fn sqlite_in(data: &std::path::Path) -> Self {
        let mut place = Self::sqlite();
        let file = data.join("courier.db");
        place.database = format!("sqlite://{}", file.display());
        place
    }

    /// A new PostgreSQL database on the server that `DATABASE_URL` names.
    pub async fn postgres() -> Option<Self> {
        let url = env::var("DATABASE_URL").ok()?;
        let server: Url = url.parse().expect("a URL");
        Some(Self::postgres_on(&server).await)
    }

    /// A new PostgreSQL database on a server.
    pub async fn postgres_on(server: &Url) -> Self {
        sqlx::any::install_default_drivers();
        let (pid, random) = (process::id(), fastrand::u32(..));
        let name = format!("courier_proof_{pid}_{random}");
        run(server, &format!("CREATE DATABASE {name}")).await;
        let mut own = server.clone();
        own.set_path(&name);
        let mut place = Self::sqlite();
        place.database = own.to_string();
        place.server = Some((server.clone(), name));
        place
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends every connection to its PostgreSQL database, as a failover does.
    pub async fn disconnect_all(&self) {
        let (server, name) = self.server.as_ref().expect("PostgreSQL");
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) \
             FROM pg_stat_activity WHERE datname = '{name}'"
        );
        run(server, &sql).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else { return };
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        // A runtime can't be started on a thread that has one.
        let dropping = thread::spawn(move || {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(run(&server, &sql));
        });
        if dropping.join().is_err() {
            eprintln!("a database was left behind");
        }
    }
}

async fn run(server: &Url, sql: &str) {
    let connection = AnyConnection::connect(server.as_str()).await;
    let mut connection = connection.expect("the server's connection");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect(sql);
    connection.close().await.expect("it closes");
}
