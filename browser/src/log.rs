//! Reads Chromium's logs: what scripts complained of, and what the page asked for.

use crate::session::Session;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A place in a file that the browser got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file's address.
    pub(crate) address: String,
    /// The line, from 1, where it is known.
    pub(crate) line: Option<usize>,
}

/// An error in the console: an uncaught one, or one that a script wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConsoleError {
    pub(crate) origin: Option<Origin>,
    pub(crate) message: String,
    /// Whether it is about a request, which the requests tell better.
    pub(crate) is_of_request: bool,
}

/// Something that the page asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) address: String,
    /// What asked for it.
    pub(crate) origin: Option<Origin>,
    /// Why it was not there.
    pub(crate) failure: Option<String>,
    id: String,
}

/// The errors since the log was read last.
pub(crate) async fn errors(session: &Session) -> Result<Vec<ConsoleError>> {
    let entries: Vec<ConsoleEntry> = session.log("browser").await?;
    let is_error = |entry: &ConsoleEntry| entry.level == "SEVERE";
    Ok(entries
        .into_iter()
        .filter(is_error)
        .map(ConsoleEntry::told)
        .collect())
}

/// The requests since the log was read last.
pub(crate) async fn requests(session: &Session) -> Result<Vec<Request>> {
    let entries: Vec<PerformanceEntry> = session.log("performance").await?;
    let mut requests = Vec::new();
    for entry in entries {
        let event: Envelope = serde_json::from_str(&entry.message)
            .with_context(|| format!("Chromium's log has an unknown entry: {}", entry.message))?;
        add(&mut requests, &event.message);
    }
    Ok(requests)
}

/// Empties both logs.
pub(crate) async fn forget(session: &Session) -> Result<()> {
    errors(session).await?;
    requests(session).await?;
    Ok(())
}

#[derive(Deserialize)]
struct ConsoleEntry {
    level: String,
    #[serde(default)]
    source: String,
    message: String,
}

impl ConsoleEntry {
    /// The message is `address line:column words`, or `address - words`, or only words.
    fn told(self) -> ConsoleError {
        let mut parts = self.message.splitn(3, ' ');
        let origin = match (parts.next(), parts.next()) {
            (Some(address), Some(place)) if address.contains("://") => Some(Origin {
                address: address.to_owned(),
                // It counts from 0.
                line: place
                    .split(':')
                    .next()
                    .and_then(|line| line.parse::<usize>().ok())
                    .map(|line| line + 1),
            }),
            _ => None,
        };
        let message = match (&origin, parts.next()) {
            (Some(_), Some(words)) => words.to_owned(),
            _ => self.message,
        };
        ConsoleError {
            origin,
            message,
            is_of_request: self.source == "network",
        }
    }
}

#[derive(Deserialize)]
struct PerformanceEntry {
    message: String,
}

#[derive(Deserialize)]
struct Envelope {
    message: Event,
}

#[derive(Deserialize)]
struct Event {
    method: String,
    params: Value,
}

/// Takes in what an event tells of a request.
fn add(requests: &mut Vec<Request>, event: &Event) {
    let params = &event.params;
    let id = params["requestId"].as_str().unwrap_or_default();
    let failure = match event.method.as_str() {
        "Network.requestWillBeSent" => {
            requests.extend(request(id, &params["request"]["url"], &params["initiator"]));
            return;
        }
        "Network.webSocketCreated" => {
            requests.extend(request(id, &params["url"], &params["initiator"]));
            return;
        }
        "Network.responseReceived" => match params["response"]["status"].as_u64() {
            Some(status) if status >= 400 => format!("status {status}"),
            _ => return,
        },
        // What a script or the browser itself calls off is no failure.
        "Network.loadingFailed" if params["canceled"] != true => params["errorText"]
            .as_str()
            .unwrap_or("no answer")
            .to_owned(),
        _ => return,
    };
    // The last one: after a redirect, two have the same id.
    if let Some(request) = requests.iter_mut().rfind(|request| request.id == id) {
        request.failure.get_or_insert(failure);
    }
}

fn request(id: &str, address: &Value, initiator: &Value) -> Option<Request> {
    let frame = &initiator["stack"]["callFrames"][0];
    // Both count from 0.
    let origin = [initiator, frame].into_iter().find_map(|from| {
        let address = from["url"].as_str().filter(|address| !address.is_empty())?;
        let line = from["lineNumber"].as_f64().map(|line| line as usize + 1);
        Some(Origin {
            address: address.to_owned(),
            line,
        })
    });
    Some(Request {
        address: address.as_str()?.to_owned(),
        origin,
        failure: None,
        id: id.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(source: &str, message: &str) -> ConsoleError {
        let entry = json!({ "level": "SEVERE", "source": source, "message": message });
        let entry: ConsoleEntry = serde_json::from_value(entry).unwrap();
        entry.told()
    }

    #[test]
    fn an_error_tells_its_file_and_line() {
        let error = told(
            "javascript",
            "http://127.0.0.1:1/a.js 2:6 Uncaught Error: a b",
        );
        assert_eq!(error.message, "Uncaught Error: a b");
        let origin = error.origin.unwrap();
        assert_eq!(origin.address, "http://127.0.0.1:1/a.js");
        assert_eq!(origin.line, Some(3));
    }

    #[test]
    fn an_error_without_a_place_is_told_whole() {
        assert_eq!(
            told("other", "something is wrong").message,
            "something is wrong"
        );
        let error = told(
            "network",
            "http://127.0.0.1:1/a.png - Failed to load resource",
        );
        assert!(error.is_of_request);
        assert_eq!(error.message, "Failed to load resource");
        assert_eq!(error.origin.unwrap().line, None);
    }

    #[test]
    fn a_request_and_what_became_of_it() {
        let mut requests = Vec::new();
        for (method, params) in [
            (
                "Network.requestWillBeSent",
                json!({ "requestId": "1", "request": { "url": "http://a/b.png" },
                    "initiator": { "url": "http://a/", "lineNumber": 4 } }),
            ),
            (
                "Network.responseReceived",
                json!({ "requestId": "1", "response": { "status": 404 } }),
            ),
            (
                "Network.webSocketCreated",
                json!({ "requestId": "2", "url": "ws://a" }),
            ),
            (
                "Network.loadingFailed",
                json!({ "requestId": "2", "canceled": true }),
            ),
        ] {
            let method = method.to_owned();
            add(&mut requests, &Event { method, params });
        }
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].failure.as_deref(), Some("status 404"));
        assert_eq!(requests[0].origin.as_ref().unwrap().line, Some(5));
        assert_eq!(requests[1].failure, None);
    }
}
