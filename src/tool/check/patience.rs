//! How long a greylisting server wants us to wait, in its own words.

use std::time::Duration;

use crate::smtp::Reply;

/// How long a greylisting server wants us to wait: "in 300 seconds", "5 minutes", "00:05:00".
pub(super) fn hint(reply: &Reply) -> Option<Duration> {
    let text = reply.text().to_ascii_lowercase();
    let clock = text.split_whitespace().find_map(clock);
    if clock.is_some() {
        return clock;
    }
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let number: u64 = number.parse().ok().filter(|n| *n <= 86_400)?;
        match *unit {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(Duration::from_secs(number)),
            "m" | "min" | "mins" | "minute" | "minutes" => Some(Duration::from_secs(number * 60)),
            "h" | "hour" | "hours" => Some(Duration::from_secs(number * 3600)),
            _ => None,
        }
    })
}

/// `00:05:00`, as milter-greylist writes it.
fn clock(word: &str) -> Option<Duration> {
    let word = word.trim_end_matches(['.', ',', ')']);
    let mut parts = word.split(':').map(|part| {
        let good = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| good)
    });
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    parts
        .next()
        .is_none()
        .then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_of_a_greylisting_server_is_understood() {
        let of = |text: &str| {
            hint(&Reply {
                code: 451,
                lines: vec![text.to_string()],
                flaws: Vec::new(),
            })
        };
        let seconds = Duration::from_secs;
        assert_eq!(
            of("4.7.1 Greylisted, please come back in 5 seconds"),
            Some(seconds(5))
        );
        assert_eq!(of("try again in 10 minutes."), Some(seconds(600)));
        assert_eq!(of("4.7.1 come back in 00:05:00"), Some(seconds(300)));
        assert_eq!(of("4.7.1 at 12:30 or 2001:db8::1"), None);
        assert_eq!(of("4.7.1 try again later"), None);
    }
}
