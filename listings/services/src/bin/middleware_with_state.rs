//! A middleware that checks a token, and passes its owner to the handler.

// ANCHOR: authorize
use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::Response,
};

/// The customer of each token.
type Tokens = Arc<HashMap<String, Customer>>;

#[derive(Clone)]
struct Customer(u32);

/// The extractors that don't need the body come first, then the
/// request, and `Next` last.
async fn authorize(
    State(tokens): State<Tokens>,
    headers: HeaderMap,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let customer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| tokens.get(token))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(customer.clone());
    Ok(next.run(request).await)
}

async fn orders(Extension(customer): Extension<Customer>) -> String {
    format!("orders of customer {}", customer.0)
}
// ANCHOR_END: authorize

use axum::routing::get;

// ANCHOR: routes
/// A layer applies to the routes that were added before it, and `layer`
/// also applies to the fallback.
fn with_layer(tokens: &Tokens) -> Router {
    let layer = from_fn_with_state(Arc::clone(tokens), authorize);
    Router::new()
        .route("/orders", get(orders))
        .layer(layer)
        .route("/refunds", get(orders))
}

/// The same, but without the layer on the fallback.
fn with_route_layer(tokens: &Tokens) -> Router {
    let layer = from_fn_with_state(Arc::clone(tokens), authorize);
    Router::new()
        .route("/orders", get(orders))
        .route_layer(layer)
        .route("/refunds", get(orders))
}

/// The same, but a method that the route lacks is answered with 405.
fn with_method_layer(tokens: &Tokens) -> Router {
    let layer = from_fn_with_state(Arc::clone(tokens), authorize);
    Router::new()
        .route("/orders", get(orders).route_layer(layer))
        .route("/refunds", get(orders))
}
// ANCHOR_END: routes

use axum::body::{Body, to_bytes};
use tower::ServiceExt;

fn tokens() -> Tokens {
    Arc::new(HashMap::from([("seven".to_owned(), Customer(7))]))
}

/// Sends a request, such as "GET /orders", through the whole stack.
async fn ask(
    shop: &Router,
    what: &str,
    token: Option<&str>,
) -> (StatusCode, String) {
    let (method, path) = what.split_once(' ').unwrap_or(("GET", what));
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request =
            request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).expect("it is valid");
    let Ok(answer) = shop.clone().oneshot(request).await;
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 1024).await;
    let body = body.expect("the answer is short");
    (status, String::from_utf8_lossy(&body).into_owned())
}

const REQUESTS: [&str; 4] =
    ["GET /orders", "GET /unknown", "PUT /orders", "GET /refunds"];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tokens = tokens();
    let shops = [
        with_layer(&tokens),
        with_route_layer(&tokens),
        with_method_layer(&tokens),
    ];
    let (_, body) = ask(&shops[0], REQUESTS[0], Some("seven")).await;
    println!("with a token: {body}\n");
    println!("without one:  layer  route_layer  get(..).route_layer");
    for what in REQUESTS {
        let mut statuses = Vec::new();
        for shop in &shops {
            statuses.push(ask(shop, what, None).await.0.as_u16());
        }
        let [layer, route_layer, method] = statuses[..] else { return };
        println!("{what:<12}  {layer:<5}  {route_layer:<11}  {method}");
    }
    let (_, body) = ask(&shops[0], REQUESTS[3], None).await;
    // The rest names the type, with its path.
    let message = body.split(" of type").next().unwrap_or_default();
    println!("\n500: {message} ...");
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn failure_of_a_token_is_a_401() {
        let shop = with_layer(&tokens());
        for token in [None, Some("eight"), Some(""), Some("seven ")] {
            let (status, _) = ask(&shop, "GET /orders", token).await;
            assert_eq!(status, 401);
        }
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/orders".parse().unwrap();
        let value = http::HeaderValue::from_bytes(b"Bearer \xff");
        request.headers_mut().insert(AUTHORIZATION, value.unwrap());
        let Ok(answer) = shop.oneshot(request).await;
        assert_eq!(answer.status(), 401);
    }

    #[tokio::test]
    async fn edges_of_the_routes() {
        let tokens = tokens();
        let statuses = async |shop: Router| {
            let mut all = Vec::new();
            for what in REQUESTS {
                all.push(ask(&shop, what, None).await.0.as_u16());
            }
            all
        };
        let all = statuses(with_layer(&tokens)).await;
        assert_eq!(all, [401, 401, 401, 500]);
        let all = statuses(with_route_layer(&tokens)).await;
        assert_eq!(all, [401, 404, 401, 500]);
        let all = statuses(with_method_layer(&tokens)).await;
        assert_eq!(all, [401, 404, 405, 500]);
    }

    #[tokio::test]
    async fn edges_of_a_fallback_that_serves_files() {
        let tokens = tokens();
        let layer =
            || from_fn_with_state(Arc::clone(&tokens), authorize);
        let files = async || "a file";
        let routes =
            || Router::new().route("/orders", get(async || "orders"));
        let merged = Router::new().fallback(files);
        for (shop, status) in [
            (routes().fallback(files).layer(layer()), 401),
            (routes().layer(layer()).fallback(files), 200),
            (routes().fallback(files).route_layer(layer()), 200),
            (routes().layer(layer()).merge(merged), 200),
        ] {
            let (found, _) = ask(&shop, "GET /file", None).await;
            assert_eq!(found, status);
        }
    }

    #[tokio::test]
    async fn edges_of_the_scheme() {
        let shop = with_layer(&tokens());
        for (value, status) in [
            ("Bearer seven", 200),
            ("bearer seven", 200),
            ("Basic seven", 401),
            ("Bearer", 401),
            ("seven", 401),
        ] {
            let request = Request::get("/orders")
                .header(AUTHORIZATION, value)
                .body(Body::empty());
            let Ok(answer) =
                shop.clone().oneshot(request.unwrap()).await;
            assert_eq!(answer.status(), status, "{value}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_overload_keep_each_customer_apart() {
        let tokens: Tokens = Arc::new(
            (0..100).map(|it| (it.to_string(), Customer(it))).collect(),
        );
        let shop: Router = with_layer(&tokens);
        let mut asked = tokio::task::JoinSet::new();
        for it in 0..100 {
            let shop = shop.clone();
            asked.spawn(async move {
                let token = it.to_string();
                let answer =
                    ask(&shop, "GET /orders", Some(&token)).await;
                assert!(answer.1.ends_with(&format!(" {it}")));
            });
        }
        assert_eq!(asked.join_all().await.len(), 100);
    }

    #[tokio::test]
    async fn cancel_and_again_change_nothing() {
        let shop = with_layer(&tokens());
        at_every_poll(async |cancel| {
            let asked = ask(&shop, "GET /orders", Some("seven"));
            cancel.run(asked).await;
            let again = ask(&shop, "GET /orders", Some("seven")).await;
            assert_eq!(again.0, 200);
        })
        .await;
    }
}
