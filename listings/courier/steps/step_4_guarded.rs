//! Step 4: limit what clients can hold: connections, time,
//! and memory.

use std::{env::args, sync::Arc, time::Duration};

use courier::{
    config::Settings,
    deliver::HttpDeliver,
    dispatch::dispatch,
    event::{Secret, Subscription},
    http::{Api, router},
    listener::serve,
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

    // ANCHOR: settings
    let mut settings = Settings::default();
    settings.deliver.private_addresses = true;
    settings.deliver.lease = Duration::from_secs(2);
    settings.accept.head_timeout = Duration::from_secs(1);
    // ANCHOR_END: settings
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
        settings: settings.clone(),
        metrics: metrics.clone(),
        token: None,
        stop: stop.clone(),
        pinged: Default::default(),
        subscribing: Default::default(),
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    // ANCHOR: serve
    serve(listener, router, settings, metrics, stop).await;
    // ANCHOR_END: serve
    Ok(deliveries.await?)
}
