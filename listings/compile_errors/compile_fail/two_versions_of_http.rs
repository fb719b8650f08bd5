//! Wrong: hyper 1 uses version 1 of the http crate, so it doesn't accept types of version 0.2.
// Cargo.toml: hyper = "1"
// Cargo.toml: http = "0.2"

use http::StatusCode;
use hyper::Response;

fn sold_out() -> Response<String> {
    let mut response = Response::new("sold out".to_owned());
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn not_stocked() -> Result<Response<String>, hyper::http::Error> {
    let response = Response::builder().status(StatusCode::NOT_FOUND);
    response.body("not stocked".to_owned())
}

fn main() {
    println!("{} {:?}", sold_out().status(), not_stocked());
}
