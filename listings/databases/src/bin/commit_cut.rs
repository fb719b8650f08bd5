//! The connection breaks during a commit: did it take effect?

use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
};

// ANCHOR: cut
/// The network between the program and the server.
#[derive(Clone, Copy)]
enum Cut {
    /// The `COMMIT` doesn't reach the server.
    Request,
    /// The server's answer to the `COMMIT` doesn't reach the program.
    Answer,
}

/// Forwards everything up to the `COMMIT`.
async fn forward(
    mut program: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    cut: Cut,
) -> std::io::Result<()> {
    let (mut request, mut answer) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            read = program.read(&mut request) => {
                let request = &request[..read?];
                let commit = request.windows(6).any(|it| it == b"COMMIT");
                if request.is_empty() || commit && matches!(cut, Cut::Request) {
                    return Ok(());
                }
                server.write_all(request).await?;
                if commit {
                    return server.read(&mut answer).await.map(|_| ());
                }
            }
            read = server.read(&mut answer) => {
                program.write_all(&answer[..read?]).await?;
            }
        }
    }
}
// ANCHOR_END: cut

/// Listens on a socket in the folder, for one connection.
async fn proxy(
    server: PgConnectOptions,
    listener: UnixListener,
    cut: Cut,
) -> std::io::Result<()> {
    let (program, _) = listener.accept().await?;
    if let Some(socket) = server.get_socket() {
        let port = server.get_port();
        let socket = socket.join(format!(".s.PGSQL.{port}"));
        let server = UnixStream::connect(socket).await?;
        return forward(program, server, cut).await;
    }
    let address = (server.get_host(), server.get_port());
    forward(program, TcpStream::connect(address).await?, cut).await
}

async fn place(pool: &PgPool, table: &'static str) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query(table).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Returns the error of the commit, and how many orders there are.
async fn run(
    server: &str,
    folder: &Path,
    cut: Cut,
) -> sqlx::Result<(String, i64)> {
    let options = server.parse::<PgConnectOptions>()?;
    let schema = format!("commit_cut_{}", std::process::id());
    let options = options.options([("search_path", &schema)]);
    let direct = PgPool::connect_with(options.clone()).await?;
    for statement in [
        format!("CREATE SCHEMA {schema}"),
        "CREATE TABLE orders (units INTEGER NOT NULL)".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&direct).await?;
    }
    let port = options.get_port();
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    let listener = UnixListener::bind(&socket)?;
    let through = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options.clone().socket(folder));
    let insert = "INSERT INTO orders VALUES (1)";
    let (placed, forwarded) = tokio::join!(
        place(&through, insert),
        proxy(options, listener, cut)
    );
    forwarded?;
    let error = match placed {
        Err(sqlx::Error::Io(error)) => format!("Io, {}", error.kind()),
        other => format!("{other:?}"),
    };
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders");
    let count = count.fetch_one(&direct).await?;
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&direct).await?;
    through.close().await;
    direct.close().await;
    std::fs::remove_file(socket)?;
    Ok((error, count))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    for (what, cut) in
        [("the request", Cut::Request), ("the answer", Cut::Answer)]
    {
        let (error, count) = run(&server, folder.path(), cut).await?;
        println!("{what} is lost: {error}; orders: {count}");
    }
    Ok(())
}
