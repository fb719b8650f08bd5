//! Import the types that a library expects from the library itself, if it exports them.
use hyper::http::Error;
use hyper::{Response, StatusCode};

fn sold_out() -> Response<String> {
    let mut response = Response::new("sold out".to_owned());
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn not_stocked() -> Result<Response<String>, Error> {
    let response = Response::builder().status(StatusCode::NOT_FOUND);
    response.body("not stocked".to_owned())
}

fn main() -> Result<(), Error> {
    println!("{}", sold_out().status());
    println!("{}", not_stocked()?.status());
    Ok(())
}
