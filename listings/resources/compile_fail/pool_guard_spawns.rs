//! Wrong: the guard spawns a task that gives the connection back.

use tokio::{
    net::TcpStream,
    sync::{Mutex, Semaphore, SemaphorePermit},
};

struct Pool {
    idle: Mutex<Vec<TcpStream>>,
    permits: Semaphore,
}

struct Pooled<'a> {
    pool: &'a Pool,
    connection: Option<TcpStream>,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    async fn put(&self, connection: TcpStream) {
        self.idle.lock().await.push(connection);
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::spawn(self.pool.put(connection));
        }
    }
}

fn main() {}
