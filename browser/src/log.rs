//! Reads Chromium's logs: errors in the console, and requests.

use crate::session::Session;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A place in a file that the browser loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file's address.
    pub(crate) address: String,
    /// The line, from 1, if it is known.
    pub(crate) line: Option<usize>,
}

/// An error in the console: an uncaught exception, or a message of a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConsoleError {
    pub(crate) origin: Option<Origin>,
    pub(crate) message: String,
    /// Whether it is about a request, about which the requests say more.
    pub(crate) is_of_request: bool,
}

/// A request of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) address: String,
    /// Where it comes from.
    pub(crate) origin: Option<Origin>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    id: String,
}

/// The errors since the log was read last.
pub(crate) async fn errors(session: &Session) -> Result<Vec<ConsoleError>> {
    let entries: Vec<ConsoleEntry> = session.log("browser").await?;
    let is_error = |entry: &ConsoleEntry| entry.level == "SEVERE";
    let errors = entries.into_iter().filter(is_error);
    Ok(errors.map(ConsoleEntry::parse).collect())
}

/// The requests since the log was read last.
pub(crate) async fn requests(session: &Session) -> Result<Vec<Request>> {
    let entries: Vec<Value> = session.log("performance").await?;
    let mut requests = Vec::new();
    for entry in entries {
        let message = entry["message"].as_str().unwrap_or_default();
        let event: Value = serde_json::from_str(message)
            .with_context(|| format!("Chromium's log has an unknown entry: {entry}"))?;
        let event = &event["message"];
        let method = event["method"].as_str().unwrap_or_default();
        add(&mut requests, method, &event["params"]);
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
    fn parse(self) -> ConsoleError {
        let mut parts = self.message.splitn(3, ' ');
        let origin = match (parts.next(), parts.next()) {
            (Some(address), Some(place)) if address.contains("://") => {
                let line = place.split(':').next().unwrap_or_default();
                Some(Origin {
                    address: address.to_owned(),
                    // Chromium counts from 0.
                    line: line.parse().ok().map(|line: usize| line + 1),
                })
            }
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

/// Adds what an event of the DevTools protocol says about a request.
fn add(requests: &mut Vec<Request>, method: &str, params: &Value) {
    let id = params["requestId"].as_str().unwrap_or_default();
    let failure = match method {
        "Network.requestWillBeSent" => {
            requests.extend(request(id, &params["request"]["url"], &params["initiator"]));
            return;
        }
        "Network.webSocketCreated" => {
            requests.extend(request(id, &params["url"], &params["initiator"]));
            return;
        }
        "Network.responseReceived" => match params["response"]["status"].as_u64() {
            Some(status) if status >= 400 => status.to_string(),
            _ => return,
        },
        // A request that a script or the browser cancels has not failed.
        "Network.loadingFailed" if params["canceled"] != true => params["errorText"]
            .as_str()
            .unwrap_or("no response")
            .to_owned(),
        _ => return,
    };
    // The last one, because two requests have the same id after a redirect.
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
    use scratch::rows;

    #[test]
    fn an_error_has_its_file_and_line_if_it_names_them() {
        for [entry, expected] in rows(include_str!("log/console.txt")) {
            let entry: ConsoleEntry = serde_json::from_str(&entry).unwrap();
            assert_eq!(format!("{:?}", entry.parse()), expected);
        }
    }

    #[test]
    fn a_request_has_its_origin_and_its_failure() {
        let mut requests = Vec::new();
        for [method, params] in rows(include_str!("log/requests.txt")) {
            add(
                &mut requests,
                &method,
                &serde_json::from_str(&params).unwrap(),
            );
        }
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].failure.as_deref(), Some("404"));
        assert_eq!(requests[0].origin.as_ref().unwrap().line, Some(5));
        assert_eq!(requests[1].failure, None);
    }
}
