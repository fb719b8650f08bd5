//! Wrong: the result of a task is used as if it were the value.

async fn temperature_of(city: &str) -> i32 {
    city.len() as i32
}

#[tokio::main]
async fn main() {
    let rome = tokio::spawn(temperature_of("Rome")).await;
    println!("{rome} degrees");
    let oslo: i32 = tokio::spawn(temperature_of("Oslo")).await;
    println!("{oslo} degrees");
}
