//! One value, made when it is first needed, by whoever needs it.

// ANCHOR: client
use tokio::sync::OnceCell;

#[derive(Default)]
struct Client {
    service: Service,
    token: OnceCell<String>,
}

impl Client {
    /// The first caller logs in, and the others wait for it. When
    /// that fails, the next one tries.
    async fn token(&self) -> Result<&str, LoginError> {
        let log_in = || self.service.log_in();
        let token = self.token.get_or_try_init(log_in).await?;
        Ok(token)
    }
}
// ANCHOR_END: client

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::sleep;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("login {0} was refused")]
struct LoginError(u32);

#[derive(Default)]
struct Service {
    logins: AtomicU32,
}

impl Service {
    /// The first one is refused.
    async fn log_in(&self) -> Result<String, LoginError> {
        let login = 1 + self.logins.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        match login {
            1 => Err(LoginError(login)),
            _ => Ok(format!("token of login {login}")),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let client = Client::default();
    let tokens = futures::future::join_all([
        client.token(),
        client.token(),
        client.token(),
    ]);
    for token in tokens.await {
        match token {
            Ok(token) => println!("{token}"),
            Err(error) => println!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_fails_and_one_logs_in() {
        let client = Arc::new(Client::default());
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let client = Arc::clone(&client);
            callers.spawn(async move { client.token().await.is_ok() });
        }
        let tokens = callers.join_all().await;
        assert_eq!(tokens.iter().filter(|is_ok| !**is_ok).count(), 1);
        assert_eq!(client.service.logins.load(Ordering::Relaxed), 2);
    }
}
