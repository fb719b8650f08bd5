//! Three ways to lock and to await without holding the lock across the await.

use std::{io, mem, sync::Mutex};

// ANCHOR: ways
struct Client {
    server: Server,
    token: Mutex<String>,
    /// One login at a time.
    login: tokio::sync::Mutex<()>,
    orders: Mutex<Vec<u32>>,
}

impl Client {
    /// Copy it out, then await.
    async fn fetch(&self) -> io::Result<String> {
        let token = self.token.lock().expect("no panic").clone();
        timeout(LIMIT, self.server.request(&token)).await?
    }

    /// Await, then lock. Callers whose token has expired together share
    /// one login, and an older token can't overwrite a newer one. After
    /// a failed login, each of the waiting callers tries in turn.
    async fn renew(&self, expired: &str) -> io::Result<()> {
        let _turn = timeout(LIMIT, self.login.lock()).await?;
        if *self.token.lock().expect("no panic") != expired {
            return Ok(());
        }
        let token = timeout(LIMIT, self.server.log_in()).await??;
        *self.token.lock().expect("no panic") = token;
        Ok(())
    }

    /// Take everything out, then await. After an error or cancellation,
    /// the orders are put back. The upload may have arrived anyway, so
    /// the server must recognize an order that it gets again. If calls
    /// overlap, orders can arrive in a different sequence.
    async fn send(&self) -> io::Result<usize> {
        let orders = mem::take(&mut *self.orders());
        let mut batch = Batch { client: self, orders };
        timeout(LIMIT, self.server.upload(&batch.orders)).await??;
        Ok(mem::take(&mut batch.orders).len())
    }
}
// ANCHOR_END: ways

// ANCHOR: batch
/// Orders that were taken out. `drop` puts back what's still in here.
struct Batch<'a> {
    client: &'a Client,
    orders: Vec<u32>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // Put them in front: the others arrived in the meantime.
        self.client.orders().splice(..0, self.orders.drain(..));
    }
}
// ANCHOR_END: batch

use std::{
    sync::{
        MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(10);

impl Client {
    fn orders(&self) -> MutexGuard<'_, Vec<u32>> {
        self.orders.lock().expect("no panic")
    }
}

/// The first login takes longest.
#[derive(Default)]
struct Server {
    logins: AtomicU32,
    is_down: AtomicBool,
    is_silent: AtomicBool,
    is_broken: AtomicBool,
    uploaded: Mutex<Vec<u32>>,
}

impl Server {
    async fn answer(&self, turns: u32) -> io::Result<()> {
        if self.is_silent.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(100) * turns).await;
        assert!(!self.is_broken.load(Relaxed), "a bug in the server");
        match self.is_down.load(Relaxed) {
            true => Err(io::Error::other("status 503")),
            false => Ok(()),
        }
    }

    async fn request(&self, token: &str) -> io::Result<String> {
        self.answer(1).await?;
        Ok(format!("answer to {token}"))
    }

    async fn log_in(&self) -> io::Result<String> {
        let login = self.logins.fetch_add(1, Relaxed);
        self.answer(3_u32.saturating_sub(login).max(1)).await?;
        Ok(format!("token {}", login + 2))
    }

    async fn upload(&self, orders: &[u32]) -> io::Result<()> {
        self.answer(1).await?;
        self.uploaded.lock().expect("no panic").extend(orders);
        Ok(())
    }
}

fn client() -> Client {
    Client {
        server: Server::default(),
        token: Mutex::new("token 1".to_owned()),
        login: tokio::sync::Mutex::default(),
        orders: Mutex::new(vec![7, 8, 9]),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let client = client();
    println!("{}", client.fetch().await?);
    client.renew("token 1").await?;
    println!("{}", client.fetch().await?);
    println!("{} orders sent", client.send().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    /// Each order is here or at the server. In between it may be both.
    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_order() {
        at_every_poll(async |cancel| {
            let client = client();
            let sent = cancel.run(client.send()).await;
            client.orders().push(10);
            let uploaded = client.server.uploaded.lock();
            let mut all = uploaded.expect("no panic").clone();
            all.extend(client.orders().iter());
            assert_eq!(all, [7, 8, 9, 10]);
            assert_eq!(client.orders().len() == 1, sent.is_some());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_login_to_the_next() {
        at_every_poll(async |cancel| {
            let client = client();
            cancel.run(client.renew("token 1")).await;
            let renewed = client.renew("token 1");
            assert!(within(HOUR, renewed).await.is_ok());
            assert_ne!(*client.token.lock().expect("ok"), "token 1");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_an_error() {
        let client = client();
        client.server.is_silent.store(true, Relaxed);
        let all = async {
            let renews =
                tokio::join!(client.renew("token 1"), client.fetch());
            (renews.0.is_err(), renews.1.is_err(), client.send().await)
        };
        let (renew, fetch, send) = within(HOUR, all).await;
        assert!(renew && fetch);
        let error = send.expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(*client.orders(), [7, 8, 9]);
        // The callers in the queue don't add up their waits.
        let all = (0..50).map(|_| client.renew("token 1"));
        let all = futures::future::join_all(all);
        let all = within(2 * LIMIT, all).await;
        assert!(all.iter().all(Result::is_err));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_login_does_not_overwrite_a_newer_one() {
        let client = client();
        let renew = || client.renew("token 1");
        let (one, other) = tokio::join!(renew(), renew());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(client.server.logins.load(Relaxed), 1);
        assert!(client.renew("token 2").await.is_ok());
        assert_eq!(*client.token.lock().expect("no panic"), "token 3");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_puts_the_orders_back() {
        let client = client();
        client.server.is_down.store(true, Relaxed);
        let renew = || client.renew("token 1");
        let three = tokio::join!(renew(), renew(), renew());
        assert!(three.0.is_err() && three.1.is_err());
        assert!(three.2.is_err());
        assert_eq!(client.server.logins.load(Relaxed), 3);
        let error = client.send().await.expect_err("it is down");
        assert_eq!(error.to_string(), "status 503");
        assert_eq!(*client.orders(), [7, 8, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_two_calls_keeps_all_orders_in_any_order() {
        let client = client();
        client.server.is_down.store(true, Relaxed);
        let later = async {
            sleep(Duration::from_millis(50)).await;
            client.orders().push(10);
            client.send().await
        };
        let two = tokio::join!(client.send(), later);
        assert!(two.0.is_err() && two.1.is_err());
        assert_eq!(*client.orders(), [10, 7, 8, 9]);
    }

    /// While `fetch` and `send` wait, their locks are free.
    #[tokio::test(start_paused = true)]
    async fn slow_log_and_a_report() {
        let client = client();
        let mut fetch = Box::pin(client.fetch());
        let mut send = Box::pin(client.send());
        assert!(futures::poll!(fetch.as_mut()).is_pending());
        assert!(futures::poll!(send.as_mut()).is_pending());
        assert!(client.token.try_lock().is_ok());
        assert!(client.orders.try_lock().is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_one_login() -> io::Result<()> {
        twenty_callers().await
    }

    #[tokio::test(start_paused = true)]
    async fn overload_shares_one_login() -> io::Result<()> {
        twenty_callers().await
    }

    /// That it compiles matters as well: these can be spawned.
    async fn twenty_callers() -> io::Result<()> {
        let client = Arc::new(client());
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let client = Arc::clone(&client);
            tasks.spawn(async move {
                client.renew("token 1").await?;
                client.send().await
            });
        }
        let mut sent = 0;
        for task in tasks.join_all().await {
            sent += task?;
        }
        assert_eq!(sent, 3);
        assert_eq!(client.server.logins.load(Relaxed), 1);
        assert_eq!(client.fetch().await?, "answer to token 2");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_to_send() -> io::Result<()> {
        let client = client();
        client.orders().clear();
        assert_eq!(client.send().await?, 0);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn again_sends_nothing_twice() -> io::Result<()> {
        let client = client();
        assert_eq!(client.send().await? + client.send().await?, 3);
        let uploaded = client.server.uploaded.into_inner();
        assert_eq!(uploaded.expect("no panic"), [7, 8, 9]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn panic_puts_the_orders_back() {
        let client = Arc::new(client());
        client.server.is_broken.store(true, Relaxed);
        let task = Arc::clone(&client);
        let send = tokio::spawn(async move { task.send().await });
        let error = send.await.expect_err("it panics").to_string();
        assert!(error.contains("a bug in the server"), "{error}");
        assert_eq!(*client.orders(), [7, 8, 9]);
        let task = Arc::clone(&client);
        let renew =
            tokio::spawn(async move { task.renew("token 1").await });
        assert!(renew.await.is_err());
        client.server.is_broken.store(false, Relaxed);
        assert!(within(HOUR, client.renew("token 1")).await.is_ok());
        assert_eq!(within(HOUR, client.send()).await.ok(), Some(3));
    }
}
