//! Wrong: the map's entry is held while the catalog fetches.

use std::collections::HashMap;

struct Catalog {
    titles: HashMap<u32, String>,
}

// ANCHOR: wrong
impl Catalog {
    async fn fetch(&self, id: u32) -> String {
        println!("fetching book {id}");
        format!("book {id}")
    }

    async fn title(&mut self, id: u32) -> &String {
        self.titles.entry(id).or_insert(self.fetch(id).await)
    }
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    let mut catalog = Catalog { titles: HashMap::new() };
    println!("{}", catalog.title(7).await);
}
