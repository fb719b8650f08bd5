//! A `'static` value is dropped when its task ends.

// ANCHOR: task
struct Report {
    name: String,
}

impl Drop for Report {
    fn drop(&mut self) {
        println!("{} is dropped", self.name);
    }
}

/// Accepts only values that contain no borrowed data.
async fn send<T: AsRef<str> + Send + 'static>(address: T) {
    println!("to {}", address.as_ref());
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    let report = Report { name: "October".to_owned() };
    let task = tokio::spawn(async move {
        send("billing").await;
        println!("{} is sent", report.name);
    });
    task.await?;
    println!("the task has ended");
    Ok(())
}
// ANCHOR_END: task
