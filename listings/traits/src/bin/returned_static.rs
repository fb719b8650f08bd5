//! A returned future says that it borrows nothing.

// ANCHOR: mail
/// Reads the name now, and sends the mail later.
fn send_mail(name: &str) -> impl Future<Output = usize> + use<> {
    let text = format!("Dear {name}, your order is on its way.");
    async move { text.len() }
}

async fn send_to(customer: u32) -> usize {
    let name = format!("customer {customer}");
    let mail = tokio::spawn(send_mail(&name));
    mail.await.unwrap_or_default()
}
// ANCHOR_END: mail

#[tokio::main]
async fn main() {
    println!("{} letters", send_to(7).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_sent() {
        assert_eq!(send_to(7).await, 42);
    }

    /// A type has to be listed; the lifetime in it is not kept.
    fn send_to_all<T: AsRef<str>>(
        names: &[T],
    ) -> impl Future<Output = usize> + use<T> {
        let texts: Vec<_> =
            names.iter().map(|name| name.as_ref().len()).collect();
        async move { texts.len() }
    }

    #[tokio::test]
    async fn types_are_listed() {
        let names = vec!["Ann".to_owned(), "Bob".to_owned()];
        let sent = tokio::spawn(send_to_all(&names));
        assert_eq!(sent.await.ok(), Some(names.len()));
    }
}
