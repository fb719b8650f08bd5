//! Wrong: an async closure owns the currency, and its future borrows from the closure.

#[tokio::main]
async fn main() {
    let currency = String::from("EUR");
    let tag = async move |book: String| format!("{book}: 9 {currency}");
    let task = tokio::spawn(tag("Emma".to_owned()));
    println!("{:?}", task.await);
}
