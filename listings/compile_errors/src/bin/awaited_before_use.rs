//! Await the call, and use what it returns.

// ANCHOR: main
struct Reading {
    degrees: u32,
}

async fn reading() -> Reading {
    Reading { degrees: 21 }
}

async fn degrees() -> u32 {
    reading().await.degrees
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}", reading().await.degrees);
    println!("{}", degrees().await + 1);
    assert_eq!(degrees().await, 21);
}
// ANCHOR_END: main
