//! What the copy of a listing has at each await: a future that wraps the awaited one and logs where the task waits.
//!
//! Tokio reports the line that created a timer or a semaphore, but not the line that awaits it, and if the main
//! future waits for another task, it reports nothing at all.

use crate::writer::{is_recorded_here, write};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};
use timeline::log::{Event, Mark as Place, Refused};

/// Types whose futures wait for something outside of the process, by the start of their paths.
const OUTSIDE: &[&str] = &[
    "tokio::net::",
    "tokio::fs::",
    "tokio::process::",
    "tokio::signal::",
    "tokio::io::stdio",
    "tokio::io::async_fd",
    "tokio::io::stdin",
];

thread_local! {
    /// The marks whose futures are being polled, outermost first.
    static PATH: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The innermost mark whose future is being polled.
pub fn innermost() -> Option<u64> {
    PATH.with_borrow(|path| path.last().map(|Place(mark, _)| *mark))
}

/// Marks an await.
pub trait Mark: IntoFuture + Sized {
    /// Wraps the awaited future in a mark: the line (from 1) and what is called there.
    fn recorded(self, line: u32, call: &'static str) -> Recorded<Self::IntoFuture> {
        Recorded {
            inner: self.into_future(),
            state: State {
                mark: None,
                pending: false,
                line,
                call,
            },
        }
    }
}

impl<F: IntoFuture> Mark for F {}

pin_project_lite::pin_project! {
    /// A future that logs when it is pending. See [`Mark`].
    #[must_use = "futures do nothing unless you await them"]
    pub struct Recorded<F> {
        // The first field, so that it is dropped before the end of the await is logged.
        #[pin]
        inner: F,
        state: State,
    }
}

struct State {
    mark: Option<u64>,
    pending: bool,
    line: u32,
    call: &'static str,
}

impl State {
    fn end(&mut self) {
        if let (true, Some(mark)) = (std::mem::take(&mut self.pending), self.mark) {
            write(Event::AwaitEnded(mark));
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.end();
    }
}

/// Takes a mark off the path, even if its future panics.
struct OnPath;

impl Drop for OnPath {
    fn drop(&mut self) {
        PATH.with_borrow_mut(Vec::pop);
    }
}

impl<F: Future> Future for Recorded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !is_recorded_here() {
            return this.inner.poll(context);
        }
        let state = this.state;
        let future = std::any::type_name::<F>();
        let mark = *state.mark.get_or_insert_with(|| {
            if let Some(outside) = OUTSIDE.iter().find(|path| future.contains(**path)) {
                let outside = outside.trim_end_matches(':').to_owned();
                write(Event::Refused(Refused::Outside(outside)));
            }
            let mark = NEXT.get();
            NEXT.set(mark + 1);
            mark
        });
        PATH.with_borrow_mut(|path| path.push(Place(mark, state.line)));
        let on_path = OnPath;
        let polled = this.inner.poll(context);
        if polled.is_pending() {
            state.pending = true;
            write(Event::Pending {
                path: PATH.with_borrow(Vec::clone),
                call: state.call.to_owned(),
                future: future.to_owned(),
            });
        } else {
            state.end();
        }
        drop(on_path);
        polled
    }
}
