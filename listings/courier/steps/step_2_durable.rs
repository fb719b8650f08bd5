//! Step 2: store an event before you acknowledge it, and deliver it
//! until the receiver has it.

use std::{env::args, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use bytes::Bytes;
use courier::{
    config::Settings,
    deliver::{Answer, Deliver, HttpDeliver},
    event::{Event, Name, Secret, Subscription},
    store::{Outcome, SharedStore, SqlOptions, SqlStore, StoreError},
};
use tokio::{net::TcpListener, sync::watch, time::sleep};
use uuid::Uuid;

// ANCHOR: accept
async fn accept(
    State(store): State<SharedStore>,
    Path(topic): Path<Name>,
    body: Bytes,
) -> Result<StatusCode, StatusCode> {
    let id = Uuid::now_v7().to_string().parse();
    let id = id.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let event = Event { id, topic, key: None, body };
    match store.accept(&event).await {
        Ok(_) => Ok(StatusCode::ACCEPTED),
        Err(error) => {
            eprintln!("{error:#}");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
// ANCHOR_END: accept

// ANCHOR: deliver
async fn deliver(
    store: SharedStore,
    http: HttpDeliver,
) -> Result<(), StoreError> {
    let lease = Duration::from_secs(2);
    loop {
        let Some((name, _)) = store.due(1).await?.pop() else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        for lease in store.claim(&name, 1, lease).await? {
            let outcome = match http.attempt(&lease).await {
                Answer::Delivered => Outcome::Delivered,
                answer => Outcome::Retry {
                    after: Duration::from_secs(1),
                    error: format!("{answer:?}"),
                },
            };
            store.settle(&lease, &outcome).await?;
        }
    }
}
// ANCHOR_END: deliver

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

    let mut settings = Settings::default();
    settings.deliver.private_addresses = true;
    let (_sender, settings) = watch::channel(Arc::new(settings));
    let http = HttpDeliver::new(settings);
    let deliveries = tokio::spawn(deliver(store.clone(), http));

    let router = Router::new()
        .route("/events/{topic}", post(accept))
        .with_state(store);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(deliveries.await??)
}
