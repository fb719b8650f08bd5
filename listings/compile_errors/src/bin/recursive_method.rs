//! A recursive method: write the trait's return type, and an async block.

// ANCHOR: method
use std::future::Future;

trait Count {
    fn count(&self) -> impl Future<Output = usize> + Send;
}

impl Count for Page {
    fn count(&self) -> impl Future<Output = usize> + Send {
        let Page { links } = self;
        async move {
            let mut pages = 1;
            for link in links {
                pages += Box::pin(link.count()).await;
            }
            pages
        }
    }
}
// ANCHOR_END: method

struct Page {
    links: Vec<Page>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let leaf = || Page { links: Vec::new() };
    let home = Page { links: vec![leaf(), leaf()] };
    println!("{} pages", home.count().await);
}

#[cfg(test)]
mod tests {
    use super::Page;
    use async_trait::async_trait;

    trait Plain {
        async fn plain(&self) -> usize;
    }

    impl Plain for Page {
        async fn plain(&self) -> usize {
            let mut pages = 1;
            for link in &self.links {
                pages += Box::pin(link.plain()).await;
            }
            pages
        }
    }

    #[async_trait]
    trait Boxed {
        async fn boxed(&self) -> usize;
    }

    #[async_trait]
    impl Boxed for Page {
        async fn boxed(&self) -> usize {
            let mut pages = 1;
            for link in &self.links {
                pages += link.boxed().await;
            }
            pages
        }
    }

    #[tokio::test]
    async fn in_other_traits_the_method_may_be_async() {
        let home = Page { links: vec![Page { links: Vec::new() }] };
        assert_eq!(home.plain().await, 2);
        assert_eq!(home.boxed().await, 2);
    }
}
