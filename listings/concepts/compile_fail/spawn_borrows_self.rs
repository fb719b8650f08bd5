//! Wrong: a task borrows the object that spawned it.

struct Shop {
    name: String,
}

impl Shop {
    async fn open(&self) {
        println!("{} is open", self.name);
    }

    fn open_later(&self) {
        tokio::spawn(self.open());
    }
}

#[tokio::main]
async fn main() {
    Shop { name: "Harbor".to_owned() }.open_later();
}
