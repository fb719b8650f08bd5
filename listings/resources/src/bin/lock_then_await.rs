//! Three ways to lock and to await, but not at the same time.

use std::{mem, sync::Mutex};

use tokio::task::yield_now;

// ANCHOR: ways
struct Client {
    token: Mutex<String>,
    orders: Mutex<Vec<u32>>,
}

impl Client {
    /// Copy it out, then await.
    async fn fetch(&self) -> String {
        let token = self.token.lock().expect("no panic").clone();
        request(&token).await
    }

    /// Await, then lock.
    async fn renew(&self) {
        let token = log_in().await;
        *self.token.lock().expect("no panic") = token;
    }

    /// Take all of it out, then await.
    async fn send(&self) -> usize {
        let orders =
            mem::take(&mut *self.orders.lock().expect("no panic"));
        upload(orders).await
    }
}
// ANCHOR_END: ways

async fn request(token: &str) -> String {
    yield_now().await;
    format!("answer to {token}")
}

async fn log_in() -> String {
    yield_now().await;
    "token 2".to_owned()
}

async fn upload(orders: Vec<u32>) -> usize {
    yield_now().await;
    orders.len()
}

fn client() -> Client {
    Client {
        token: Mutex::new("token 1".to_owned()),
        orders: Mutex::new(vec![7, 8, 9]),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = client();
    println!("{}", client.fetch().await);
    client.renew().await;
    println!("{}", client.fetch().await);
    println!("{} orders sent", client.send().await);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    /// That it compiles is what matters: these can be spawned.
    #[tokio::test(flavor = "multi_thread")]
    async fn tasks_may_call_it() {
        let client = Arc::new(client());
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let client = Arc::clone(&client);
            tasks.spawn(async move {
                client.renew().await;
                let answer = client.fetch().await;
                assert_eq!(answer, "answer to token 2");
                client.send().await
            });
        }
        let sent = tasks.join_all().await;
        assert_eq!(sent.into_iter().sum::<usize>(), 3);
    }

    #[tokio::test]
    async fn what_was_taken_out_is_lost_with_the_future() {
        let client = client();
        let mut send = Box::pin(client.send());
        assert!(futures::poll!(send.as_mut()).is_pending());
        drop(send);
        assert_eq!(client.send().await, 0);
    }
}
