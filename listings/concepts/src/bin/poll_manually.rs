//! Poll a future manually, as a runtime does.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::sync::oneshot;

// ANCHOR: by_hand
/// Polls a future up to four times. `Waker::noop` wakes nothing,
/// because this loop polls without waiting for a wakeup.
fn main() {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let mut greeting = pin!(greet(receiver));
    let mut context = Context::from_waker(Waker::noop());
    println!("created; none of the body has run");
    for number in 1..=4 {
        match greeting.as_mut().poll(&mut context) {
            Poll::Pending => println!("poll {number}: not ready"),
            Poll::Ready(text) => {
                println!("poll {number}: {text}");
                return;
            }
        }
        if number == 2
            && let Some(sender) = sender.take()
        {
            println!("the name is sent");
            sender.send("Ada").expect("it is waited for");
        }
    }
}
// ANCHOR_END: by_hand

/// Waits for a name.
async fn greet(name: oneshot::Receiver<&'static str>) -> String {
    println!("  the body starts");
    match name.await {
        Ok(name) => {
            println!("  the body continues after the await");
            format!("hello, {name}")
        }
        Err(_) => "nobody came".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_the_name_is_there() {
        let (sender, receiver) = oneshot::channel();
        let mut greeting = pin!(greet(receiver));
        let mut context = Context::from_waker(Waker::noop());
        assert!(greeting.as_mut().poll(&mut context).is_pending());
        sender.send("Ada").expect("it is waited for");
        let ready = greeting.as_mut().poll(&mut context);
        assert_eq!(ready, Poll::Ready("hello, Ada".to_owned()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_runtime_does_the_same() {
        let (sender, receiver) = oneshot::channel();
        drop(sender);
        assert_eq!(greet(receiver).await, "nobody came");
    }
}
