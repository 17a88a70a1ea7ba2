//! The story of a message as the logs of the servers tell it.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use serde_json::Value;

use crate::send::round::Event;

use super::plan::Part;

/// Reads the logs; the events in the order in which they happened.
pub fn read(logs: &[(Part, String)], start: SystemTime) -> Vec<Event> {
    let mut all: Vec<(Duration, usize, Event)> = Vec::new();
    for (part, log) in logs {
        for line in log.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let Some((text, order)) = words(*part, &line) else {
                continue;
            };
            let at = line.get("time").and_then(Value::as_str);
            let at = at.and_then(|at| DateTime::parse_from_rfc3339(at).ok());
            let at = at.map_or(start, SystemTime::from);
            // The log counts in milliseconds, so the first may seem to be before the start.
            let at = at.duration_since(start).unwrap_or_default();
            all.push((
                at,
                order,
                Event {
                    at,
                    role: part.word(),
                    host: part.host().to_string(),
                    text,
                },
            ));
        }
    }
    all.sort_by_key(|(at, order, _)| (at.as_millis(), *order));
    all.into_iter().map(|(.., event)| event).collect()
}

/// What a line says, and its place among those of the same millisecond.
fn words(part: Part, line: &Value) -> Option<(String, usize)> {
    let get = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let place = part.index();
    let text = match get("event") {
        "received" => {
            let what = match get("from") {
                "<>" => "takes the notice",
                _ => "accepts it",
            };
            return Some((format!("{what}, queued as {}", get("id")), 10 * place));
        }
        "login" => return Some((format!("knows {} by the password", get("user")), 10 * place)),
        "login-refused" => "does not take the login".to_string(),
        "refused" => {
            let text = format!("refuses at {}: {}", stage(get("stage")), get("reply"));
            return Some((text, 10 * place));
        }
        "relayed" | "delivered" if get("relay") == "local" => {
            format!("puts it into the mailbox of {}", get("to"))
        }
        "relayed" | "delivered" => format!("has passed it to {}", host(get("relay"))),
        "deferred" => format!("cannot pass it on now: {}", get("said")),
        "failed" => format!("gives up: {}", get("said")),
        "notice" => match get("kind") {
            "failed" => format!("writes the bounce to {}", get("to")),
            "delayed" => format!("writes to {} that it takes long", get("to")),
            _ => format!("writes to {} that it was delivered", get("to")),
        },
        _ => return None,
    };
    Some((text, 10 * place + 5))
}

fn stage(word: &str) -> String {
    word.to_ascii_uppercase()
}

/// `mta.away.test[127.0.0.1]` without the address, which is always the same.
fn host(relay: &str) -> &str {
    relay.split('[').next().unwrap_or(relay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_told_in_its_order() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let msa = "{\"time\":\"1970-01-01T00:00:01.020Z\",\"event\":\"delivered\",\"to\":\"b@x\",\"relay\":\"mta.away.test[127.0.0.1]\"}\n\
                   {\"time\":\"1970-01-01T00:00:01.010Z\",\"event\":\"received\",\"id\":\"A1\",\"from\":\"<a@x>\"}\n";
        let mta = "{\"time\":\"1970-01-01T00:00:01.020Z\",\"event\":\"refused\",\"stage\":\"rcpt\",\"reply\":\"550 no\"}\nrubbish\n";
        let logs = [(Part::Msa, msa.to_string()), (Part::Mta, mta.to_string())];
        let told: Vec<_> = read(&logs, start)
            .into_iter()
            .map(|e| format!("{} {} {}", e.at.as_millis(), e.role, e.text))
            .collect();
        assert_eq!(
            told,
            [
                "10 MSA accepts it, queued as A1",
                "20 MSA has passed it to mta.away.test",
                "20 MTA refuses at RCPT: 550 no",
            ]
        );
    }
}
