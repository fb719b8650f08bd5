//! A variant with `#[from] JoinError` lets `??` convert both layers.

// ANCHOR: store
use std::io;

use tokio::task::JoinError;

#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("cannot write the order")]
    Write(#[from] io::Error),
    #[error("the task failed")]
    Task(#[from] JoinError),
}

async fn store(order: u32) -> Result<(), StoreError> {
    tokio::spawn(write(order)).await??;
    Ok(())
}
// ANCHOR_END: store

async fn write(order: u32) -> io::Result<()> {
    match order {
        13 => Err(io::ErrorKind::StorageFull.into()),
        14 => panic!("order 14 is unknown"),
        _ => Ok(()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    for order in 12..=14 {
        match store(order).await {
            Ok(()) => println!("{order} is stored"),
            Err(StoreError::Write(error)) => {
                println!("{order} isn't written: {error}");
            }
            Err(StoreError::Task(error)) if error.is_panic() => {
                println!("{order}: its task panicked");
            }
            Err(StoreError::Task(_)) => {
                println!("{order}: its task was aborted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_layer_becomes_its_own_variant() {
        assert!(store(12).await.is_ok());
        let full = store(13).await;
        assert!(matches!(full, Err(StoreError::Write(_))));
        let panicked = store(14).await;
        assert!(matches!(panicked, Err(StoreError::Task(error))
            if error.is_panic()));
    }
}
