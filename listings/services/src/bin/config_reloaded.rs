//! Reload a configuration: a bad file changes nothing, and a request sees one version.

// ANCHOR: reload
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use tokio::{fs, sync::watch, time::timeout};

impl Config {
    /// Reads and checks a file.
    async fn read(path: &Path) -> anyhow::Result<Self> {
        let text = timeout(LONGEST, fs::read(path)).await??;
        let config: Self = serde_json::from_slice(&text)?;
        ensure!(config.free_above > 0, "`free_above` must not be 0");
        Ok(config)
    }
}

/// Publishes the new configuration. After an error, and if dropped, the
/// old one stays. Tasks that wait for a change are notified only if
/// there is one.
async fn reload(
    path: &Path,
    current: &watch::Sender<Arc<Config>>,
) -> anyhow::Result<bool> {
    let new = Config::read(path).await;
    let new = new.with_context(|| path.display().to_string())?;
    let listen = current.borrow().listen;
    ensure!(new.listen == listen, "`listen` needs a restart");
    Ok(current.send_if_modified(|config| {
        let changed = **config != new;
        if changed {
            *config = Arc::new(new);
        }
        changed
    }))
}
// ANCHOR_END: reload

// ANCHOR: config
use serde::Deserialize;

/// A misspelled or missing field is an error.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    listen: SocketAddr,
    shipping: u32,
    free_above: u32,
}

/// Reads the configuration once, and uses this version throughout.
async fn handle(current: &watch::Receiver<Arc<Config>>) -> String {
    let config = Arc::clone(&current.borrow());
    let shipping = config.shipping;
    load_basket().await;
    format!("{shipping} euros, free above {}", config.free_above)
}
// ANCHOR_END: config

/// The time limit for reading the file.
const LONGEST: Duration = Duration::from_secs(5);

/// A part of the request that takes time.
async fn load_basket() {
    tokio::task::yield_now().await;
}

fn file(shipping: u32, free_above: &str) -> String {
    format!(
        r#"{{ "listen": "127.0.0.1:8080", "shipping": {shipping}, {free_above} }}"#
    )
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.json");
    fs::write(&path, file(5, r#""free_above": 50"#)).await?;
    // At startup, a bad file is an error.
    let (current, config) =
        watch::channel(Config::read(&path).await?.into());
    println!("{}", handle(&config).await);
    for text in [
        file(6, r#""free_above": 60"#),
        file(7, r#""free_abov": 70"#),
        file(7, r#""free_above": 0"#),
        file(7, r#""free_above""#),
        file(7, r#""free_above": 70"#).replace("8080", "80"),
    ] {
        fs::write(&path, text).await?;
        match reload(&path, &current).await {
            Ok(changed) => println!("changed: {changed}"),
            Err(error) => println!("kept: {}", error.root_cause()),
        }
        println!("{}", handle(&config).await);
    }
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    struct Shop {
        folder: tempfile::TempDir,
        current: watch::Sender<Arc<Config>>,
    }

    impl Shop {
        fn new() -> Self {
            let listen = ([127, 0, 0, 1], 8080).into();
            let config = Config { listen, shipping: 5, free_above: 50 };
            let folder = tempfile::tempdir().expect("a folder");
            let current = watch::Sender::new(Arc::new(config));
            Self { folder, current }
        }

        fn write(&self, text: &str) -> std::path::PathBuf {
            let path = self.folder.path().join("shop.json");
            std::fs::write(&path, text).expect("written");
            path
        }

        async fn reload(&self, text: &str) -> anyhow::Result<bool> {
            let path = self.write(text);
            reload(&path, &self.current).await
        }

        fn shipping(&self) -> u32 {
            self.current.borrow().shipping
        }
    }

    #[tokio::test]
    async fn failure_of_any_kind_keeps_the_old_one() {
        let shop = Shop::new();
        let good = file(6, r#""free_above": 60"#);
        for end in 0..good.len() {
            let torn = shop.reload(&good[..end]).await;
            assert!(torn.is_err(), "{end}");
        }
        for (from, to) in [
            (r#"free_above": 60"#, r#"free_above": 0"#),
            ("shipping", "shiping"),
            (r#""shipping""#, r#""colour": 1, "shipping""#),
        ] {
            let bad = shop.reload(&good.replace(from, to)).await;
            assert!(bad.is_err(), "{to}");
        }
        let other = good.replace("8080", "8081");
        assert!(shop.reload(&other).await.is_err());
        let missing = shop.folder.path().join("none.json");
        let error = reload(&missing, &shop.current).await;
        let error = format!("{:#}", error.expect_err("no file"));
        assert!(error.contains("none.json"), "{error}");
        assert_eq!(shop.shipping(), 5);
        assert!(shop.reload(&good).await.expect("a good file"));
        assert_eq!(shop.shipping(), 6);
    }

    #[tokio::test]
    async fn again_the_same_file_notifies_nobody() {
        let shop = Shop::new();
        let mut config = shop.current.subscribe();
        let same = file(5, r#""free_above": 50"#);
        assert!(!shop.reload(&same).await.expect("a good file"));
        assert!(!config.has_changed().expect("open"));
        let new = file(6, r#""free_above": 50"#);
        assert!(shop.reload(&new).await.expect("a good file"));
        assert!(config.has_changed().expect("open"));
        config.mark_unchanged();
    }

    #[tokio::test]
    async fn slow_request_sees_one_version() {
        let shop = Shop::new();
        let config = shop.current.subscribe();
        let mut request = std::pin::pin!(handle(&config));
        assert!(futures::poll!(&mut request).is_pending());
        let new = file(6, r#""free_above": 60"#);
        assert!(shop.reload(&new).await.expect("a good file"));
        assert_eq!(request.await, "5 euros, free above 50");
        assert_eq!(handle(&config).await, "6 euros, free above 60");
    }

    #[tokio::test]
    async fn cancel_changes_all_or_nothing() {
        hazards::at_every_poll(async |cancel| {
            let shop = Shop::new();
            let path = shop.write(&file(6, r#""free_above": 60"#));
            let reloading = reload(&path, &shop.current);
            let done = cancel.run(reloading).await.is_some();
            let config = Arc::clone(&shop.current.borrow());
            let seen = (config.shipping, config.free_above);
            assert_eq!(seen, if done { (6, 60) } else { (5, 50) });
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_never_see_half_a_change() {
        let shop = Shop::new();
        let config = shop.current.subscribe();
        let reader = tokio::spawn(async move {
            for _ in 0..2000 {
                let seen = handle(&config).await;
                let same = [
                    "5 euros, free above 50",
                    "6 euros, free above 60",
                ];
                assert!(same.contains(&&*seen), "{seen}");
            }
        });
        for round in 0..20 {
            let (shipping, above) = [(5, 50), (6, 60)][round % 2];
            let new =
                file(shipping, &format!(r#""free_above": {above}"#));
            shop.reload(&new).await.expect("a good file");
        }
        reader.await.expect("one version at a time");
    }

    #[tokio::test]
    async fn owner_gone_leaves_the_last_version() {
        let shop = Shop::new();
        let config = shop.current.subscribe();
        drop(shop);
        assert_eq!(handle(&config).await, "5 euros, free above 50");
    }

    #[tokio::test]
    async fn edges_empty_file_and_wrong_types_are_errors() {
        let shop = Shop::new();
        for text in ["", "{}", "null", "[]", "\u{feff}{}"] {
            assert!(shop.reload(text).await.is_err());
        }
        let negative = file(5, r#""free_above": -1"#);
        assert!(shop.reload(&negative).await.is_err());
        let largest = file(u32::MAX, r#""free_above": 4294967295"#);
        assert!(shop.reload(&largest).await.is_ok());
    }
}
