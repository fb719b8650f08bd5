//! Fails: updates_of_two_threads_both_count
//! Between the `get` and the `set` of an `update`, another thread's change is lost.

use tokio::sync::watch;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub limit: u32,
    pub verbose: bool,
}

/// The settings of a service, which any thread may change.
pub struct Settings {
    newest: watch::Sender<Config>,
}

impl Settings {
    pub fn new(first: Config) -> Self {
        let (newest, _) = watch::channel(first);
        Self { newest }
    }

    pub fn get(&self) -> Config {
        self.newest.borrow().clone()
    }

    pub fn set(&self, config: Config) {
        self.newest.send_replace(config);
    }

    /// Changes some of the settings, and keeps the others.
    pub fn update(&self, change: impl FnOnce(&mut Config)) {
        let mut config = self.get();
        change(&mut config);
        self.set(config);
    }

    /// Calls `apply` with the newest settings, at first and after every change, until the
    /// `Settings` are dropped. What was replaced before it was applied is skipped.
    pub fn follow<F: AsyncFnMut(&Config)>(
        &self,
        mut apply: F,
    ) -> impl Future<Output = ()> + use<F> {
        let mut newest = self.newest.subscribe();
        async move {
            loop {
                let config = newest.borrow_and_update().clone();
                apply(&config).await;
                if newest.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
