//! Step 3: one task for each attempt, within limits, and
//! in order for each key.

use std::{env::args, sync::Arc};

use courier::{
    config::Settings,
    deliver::HttpDeliver,
    dispatch::dispatch,
    event::{Secret, Subscription},
    http::{Api, router},
    metrics::Metrics,
    store::{SharedStore, SqlOptions, SqlStore},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store =
        SqlStore::connect("sqlite://courier.db", SqlOptions::default());
    let store: SharedStore = Arc::new(store.await?);
    for (number, url) in args().skip(1).enumerate() {
        let subscription = Subscription {
            name: format!("receiver-{}", number + 1).parse()?,
            url: url.parse()?,
            topics: vec![],
            secret: Secret::generate()?,
        };
        store.subscribe(&subscription, usize::MAX).await?;
    }

    // ANCHOR: parts
    let mut settings = Settings::default();
    settings.deliver.private_addresses = true;
    let (_sender, settings) = watch::channel(Arc::new(settings));
    let metrics = Metrics::new();
    let stop = CancellationToken::new();
    let deliveries = tokio::spawn(dispatch(
        store.clone(),
        Arc::new(HttpDeliver::new(settings.clone())),
        settings.clone(),
        metrics.clone(),
        stop.clone(),
        stop.clone(),
    ));
    let router = router(Arc::new(Api {
        store,
        settings,
        metrics,
        token: None,
        stop,
        pinged: Default::default(),
        subscribing: Default::default(),
    }));
    // ANCHOR_END: parts
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    // ANCHOR: serve
    axum::serve(listener, router).await?;
    // ANCHOR_END: serve
    Ok(deliveries.await?)
}
