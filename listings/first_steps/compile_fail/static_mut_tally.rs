//! Wrong: tasks on several threads change a `static mut`.

static mut WARM: Vec<&str> = Vec::new();

#[tokio::main]
async fn main() {
    let task = tokio::spawn(async { unsafe { WARM.push("Rome") } });
    task.await.ok();
}
