//! Turn each async function into a function pointer that returns a boxed future.

// ANCHOR: pointer
use futures::future::BoxFuture;

struct Route {
    path: &'static str,
    handler: fn(u32) -> BoxFuture<'static, u32>,
}

async fn double(number: u32) -> u32 {
    number * 2
}

async fn square(number: u32) -> u32 {
    number * number
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let routes = [
        Route { path: "/double", handler: |n| Box::pin(double(n)) },
        Route { path: "/square", handler: |n| Box::pin(square(n)) },
    ];
    for route in routes {
        println!("{}: {}", route.path, (route.handler)(7).await);
    }
}
// ANCHOR_END: pointer
