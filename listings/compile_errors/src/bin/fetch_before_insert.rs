//! Fetch while nothing in the map is borrowed, and then insert.

use std::collections::HashMap;

// ANCHOR: catalog
struct Catalog {
    titles: HashMap<u32, String>,
}

impl Catalog {
    async fn fetch(&self, id: u32) -> String {
        println!("fetching book {id}");
        format!("book {id}")
    }

    async fn title(&mut self, id: u32) -> &String {
        if !self.titles.contains_key(&id) {
            let title = self.fetch(id).await;
            self.titles.insert(id, title);
        }
        &self.titles[&id]
    }
}
// ANCHOR_END: catalog

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut catalog = Catalog { titles: HashMap::new() };
    println!("{}", catalog.title(7).await);
    println!("{}", catalog.title(7).await);
}
