//! One value, initialized by the first caller that needs it.

// ANCHOR: client
use std::time::Duration;

use tokio::{sync::OnceCell, time::timeout};

#[derive(Default)]
struct Client {
    service: Service,
    token: OnceCell<String>,
}

impl Client {
    /// The first caller logs in, and the others wait for it. If that
    /// fails or is canceled, the next caller tries. Each caller waits
    /// ten seconds at most.
    async fn token(&self) -> Result<&str, LoginError> {
        let log_in = async || self.service.log_in().await;
        let token = self.token.get_or_try_init(log_in);
        // Around all of it, so that the waits don't add up.
        match timeout(Duration::from_secs(10), token).await {
            Ok(token) => token.map(String::as_str),
            Err(_elapsed) => Err(LoginError::TimedOut),
        }
    }
}
// ANCHOR_END: client

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::sleep;

#[derive(Debug, PartialEq, thiserror::Error)]
enum LoginError {
    #[error("login {0} was refused")]
    Refused(u32),
    #[error("the login took too long")]
    TimedOut,
}

#[derive(Default)]
struct Service {
    logins: AtomicU32,
    is_silent: AtomicBool,
    is_broken: AtomicBool,
}

impl Service {
    /// The first one is refused.
    async fn log_in(&self) -> Result<String, LoginError> {
        let login = 1 + self.logins.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        if self.is_silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let is_broken = self.is_broken.load(Ordering::Relaxed);
        assert!(!is_broken, "a bug in the login");
        match login {
            1 => Err(LoginError::Refused(login)),
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

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    fn logins(client: &Client) -> u32 {
        client.service.logins.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn failure_lets_the_next_one_try() {
        let client = Client::default();
        let refused = client.token().await;
        assert_eq!(refused, Err(LoginError::Refused(1)));
        for _ in 0..2 {
            assert_eq!(client.token().await, Ok("token of login 2"));
        }
        assert_eq!(logins(&client), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_lets_the_next_one_log_in() {
        at_every_poll(async |cancel| {
            let client = Client::default();
            client.service.logins.store(1, Ordering::Relaxed);
            cancel.run(client.token()).await;
            assert!(within(HOUR, client.token()).await.is_ok());
            assert!(logins(&client) <= 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_for_all() {
        let client = Client::default();
        client.service.is_silent.store(true, Ordering::Relaxed);
        // Each waits for the limit, not for the caller before it.
        let all = (0..50).map(|_| client.token());
        let all = futures::future::join_all(all);
        let all = within(Duration::from_secs(11), all).await;
        assert!(all.iter().all(Result::is_err));
        client.service.is_silent.store(false, Ordering::Relaxed);
        assert!(client.token().await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_one_fails_and_one_logs_in() {
        let client = Arc::new(Client::default());
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let client = Arc::clone(&client);
            callers.spawn(async move { client.token().await.is_ok() });
        }
        let tokens = callers.join_all().await;
        assert_eq!(tokens.iter().filter(|is_ok| !**is_ok).count(), 1);
        assert_eq!(logins(&client), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_shares_one_login() {
        let client = Client::default();
        client.service.logins.store(1, Ordering::Relaxed);
        let all = (0..50).map(|_| client.token());
        let tokens = futures::future::join_all(all).await;
        assert!(tokens.iter().all(Result::is_ok));
        assert_eq!(logins(&client), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_lets_the_next_one_log_in() {
        let client = Arc::new(Client::default());
        client.service.is_broken.store(true, Ordering::Relaxed);
        let task = Arc::clone(&client);
        let panics =
            tokio::spawn(async move { task.token().await.is_ok() });
        let error = panics.await.expect_err("it panics").to_string();
        assert!(error.contains("a bug in the login"), "{error}");
        client.service.is_broken.store(false, Ordering::Relaxed);
        assert!(within(HOUR, client.token()).await.is_ok());
    }
}
