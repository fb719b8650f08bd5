//! Wrong: the returned title borrows the map until the end of the function.

use std::collections::HashMap;

struct Catalog {
    titles: HashMap<u32, String>,
}

impl Catalog {
    async fn fetch(&self, id: u32) -> String {
        println!("fetching book {id}");
        format!("book {id}")
    }

    // ANCHOR: wrong
    async fn title(&mut self, id: u32) -> &String {
        if let Some(title) = self.titles.get(&id) {
            return title;
        }
        let title = self.fetch(id).await;
        self.titles.entry(id).or_insert(title)
    }
    // ANCHOR_END: wrong
}

#[tokio::main]
async fn main() {
    let mut catalog = Catalog { titles: HashMap::new() };
    println!("{}", catalog.title(7).await);
}
