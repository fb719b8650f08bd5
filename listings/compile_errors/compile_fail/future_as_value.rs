//! Wrong: it uses the future instead of the reading.

struct Reading {
    degrees: u32,
}

async fn reading() -> Reading {
    Reading { degrees: 21 }
}

async fn degrees() -> u32 {
    reading().await.degrees
}

#[tokio::main]
async fn main() {
    println!("{}", reading().degrees);
    println!("{}", degrees());
    assert_eq!(degrees(), 21);
    assert!(degrees() + 1 > 21);
}
