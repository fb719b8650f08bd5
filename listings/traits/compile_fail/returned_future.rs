//! A returned future borrows the arguments of its function.

// ANCHOR: wrong
/// Reads the name now and sends the mail later.
fn send_mail(name: &str) -> impl Future<Output = usize> {
    let text = format!("Dear {name}, your order is on its way.");
    async move { text.len() }
}

async fn send_to(customer: u32) -> usize {
    let name = format!("customer {customer}");
    let mail = tokio::spawn(send_mail(&name));
    mail.await.unwrap_or_default()
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("{} letters", send_to(7).await);
}
