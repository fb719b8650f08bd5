//! What Tokio reports.

use crate::writer::{is_listing, is_recorded_here, write};
use crate::{clock, mark};
use std::collections::BTreeMap;
use std::fmt::Debug;
use timeline::log::{Event, Place, Refused, StateUpdate};
use tokio::runtime::{Handle, RuntimeFlavor};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

const TASK: &str = "runtime.spawn";
const RESOURCE: &str = "runtime.resource";
const OP: &str = "runtime.resource.async_op";

/// Logs what Tokio reports.
pub struct TokioLayer;

/// Marks the span of a main future until it is entered for the first time.
struct IsMain;

/// The fields of a span or of an event, as text.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn string(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.string(name).parse().ok()
    }

    fn is(&self, name: &str) -> bool {
        self.string(name) == "true"
    }

    /// The place, if it is in the listing.
    fn place(&self) -> Option<Place> {
        let number = |name| self.number(name).and_then(|n| u32::try_from(n).ok());
        let place = Place {
            line: number("loc.line")?,
            column: number("loc.col")?,
        };
        is_listing(self.string("loc.file")).then_some(place)
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    /// Numbers and flags come here, too.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Whether the runtime here has one thread; `None` where there is no runtime.
fn has_one_thread() -> Option<bool> {
    let runtime = Handle::try_current().ok()?;
    Some(runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

impl<S> Layer<S> for TokioLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        let target = metadata.target();
        target.starts_with("tokio::") || target.starts_with("runtime::")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = id.into_u64();
        match attributes.metadata().name() {
            TASK if attributes.metadata().target() == "tokio::task::blocking" => {
                // A multi-threaded runtime starts its worker threads in this way, too.
                write(Event::Refused(if has_one_thread() == Some(false) {
                    Refused::MultiThread
                } else {
                    Refused::OtherThread
                }));
            }
            TASK => {
                let main = fields.string("kind") == "block_on";
                if main && let Some(span) = context.span(id) {
                    span.extensions_mut().insert(IsMain);
                }
                write(Event::Spawn {
                    span,
                    main,
                    at: fields.place(),
                });
            }
            RESOURCE => {
                let around = context.lookup_current();
                let around = around.filter(|around| around.name() == RESOURCE);
                write(Event::Resource {
                    span,
                    kind: fields.string("concrete_type").to_owned(),
                    line: fields.place().map(|place| place.line),
                    inside: around.map(|around| around.id().into_u64()),
                });
            }
            _ => {}
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| span.name() == TASK) else {
            return;
        };
        if !is_recorded_here() {
            return;
        }
        if span.extensions_mut().remove::<IsMain>().is_some() {
            clock::start();
        }
        match has_one_thread() {
            Some(false) => write(Event::Refused(Refused::MultiThread)),
            Some(true) if !clock::is_paused() => write(Event::Refused(Refused::NotPaused)),
            // Without a runtime, its tasks are being dropped, and none is polled.
            Some(true) | None => {}
        }
        write(Event::Enter(id.into_u64()));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if context.span(id).is_some_and(|span| span.name() == TASK) {
            write(Event::Exit {
                span: id.into_u64(),
                panicking: std::thread::panicking(),
            });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let is_logged = |span: &SpanRef<'_, S>| matches!(span.name(), TASK | RESOURCE | OP);
        if context.span(&id).as_ref().is_some_and(is_logged) {
            write(Event::Close(id.into_u64()));
        }
    }

    fn on_event(&self, event: &tracing_core::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let around = |name: &str| {
            let mut scope = context.event_scope(event)?;
            let span = scope.find(|span| span.name() == name)?;
            Some(span.id().into_u64())
        };
        match event.metadata().target() {
            "tokio::task::waker" if fields.string("op").starts_with("waker.wake") => {
                // In this event, the task's id is that of its span.
                write(Event::Wake(fields.number("task.id").unwrap_or_default()));
            }
            "runtime::resource::poll_op" => {
                if let Some(op) = around(OP) {
                    write(Event::PollOp {
                        span: op,
                        resource: around(RESOURCE),
                        ready: fields.is("is_ready"),
                        mark: mark::innermost(),
                    });
                }
            }
            "runtime::resource::async_op::state_update" => {
                if let (Some(count), Some(op)) = (fields.number("permits_requested"), around(OP)) {
                    write(Event::Requested { op, count });
                }
                let obtained = fields.number("permits_obtained").filter(|count| *count > 0);
                if let (Some(count), Some(op)) = (obtained, around(OP)) {
                    write(Event::Acquired {
                        op,
                        resource: around(RESOURCE),
                        count,
                    });
                }
            }
            "runtime::resource::state_update" => {
                if let (Some(update), Some(resource)) = (state_update(&fields), around(RESOURCE)) {
                    write(Event::StateUpdate { resource, update });
                }
            }
            _ => {}
        }
    }
}

fn state_update(fields: &Fields) -> Option<StateUpdate> {
    let returned = fields.number("permits").filter(|count| *count > 0);
    match returned {
        Some(count) if fields.string("permits.op") == "add" => Some(StateUpdate::Released(count)),
        _ if fields.is("value_sent") => Some(StateUpdate::Sent),
        _ if fields.is("value_received") => Some(StateUpdate::Received),
        _ => None,
    }
}
