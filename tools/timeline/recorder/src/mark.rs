//! What the copy of a listing has at each await: a future around the awaited one that does as that one
//! does, and tells where a task waits.
//!
//! Tokio reports the line where a timer or a semaphore was made, but not the line that awaits it; of a
//! wait for another task it reports nothing at all where the runtime's own future waits.

use crate::writer::{is_recorded_here, write};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};
use timeline::log::{Event, Mark as Place, Refused};

/// What lies outside of the process, by the beginning of its types' paths.
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
    /// The marks whose futures are being polled, from the outermost.
    static PATH: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The innermost mark whose future is being polled.
pub fn innermost() -> Option<u64> {
    PATH.with_borrow(|path| path.last().map(|Place(mark, _)| *mark))
}

/// Puts a mark at an await.
pub trait Mark: IntoFuture + Sized {
    /// The awaited future with a mark around it: the line (from 1) and what is called there.
    fn recorded(self, line: u32, call: &'static str) -> Recorded<Self::IntoFuture> {
        Recorded {
            inner: self.into_future(),
            state: State {
                mark: None,
                waits: false,
                line,
                call,
            },
        }
    }
}

impl<F: IntoFuture> Mark for F {}

pin_project_lite::pin_project! {
    /// A future that tells when it waits. See [`Mark`].
    #[must_use = "futures do nothing unless you await them"]
    pub struct Recorded<F> {
        // The first field, so that what its end does is done before the wait is told to be over.
        #[pin]
        inner: F,
        state: State,
    }
}

struct State {
    mark: Option<u64>,
    waits: bool,
    line: u32,
    call: &'static str,
}

impl State {
    fn over(&mut self) {
        if let (true, Some(mark)) = (std::mem::take(&mut self.waits), self.mark) {
            write(Event::Over(mark));
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.over();
    }
}

/// Takes a mark off the path, also where its future panics.
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
            state.waits = true;
            write(Event::Waits {
                path: PATH.with_borrow(Vec::clone),
                call: state.call.to_owned(),
                future: future.to_owned(),
            });
        } else {
            state.over();
        }
        drop(on_path);
        polled
    }
}
