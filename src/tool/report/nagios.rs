//! The status line of a Nagios plugin: one line, performance data behind a bar, and the exit
//! codes of that world (monitoring-plugins.org, development guidelines).

use crate::dnsbl::catalogue::Weight;
use crate::dnsbl::verdict::Finding;
use crate::report::safe::safe_ascii;

/// The states of that world; their numbers are its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nowhere listed.
    Ok = 0,
    /// Listed, though nowhere that matters much.
    Warning = 1,
    /// On a list that many or some receivers refuse mail by.
    Critical = 2,
    /// Nothing could be determined.
    Unknown = 3,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The state of one subject.
pub fn state(finding: &Finding) -> State {
    match finding.worst() {
        Some(Weight::High | Weight::Medium) => State::Critical,
        Some(_) => State::Warning,
        None if finding.answered() == 0 => State::Unknown,
        None => State::Ok,
    }
}

/// All subjects as one plugin output, and the state that counts. Critical beats unknown, and
/// unknown beats a warning: what is not known may be worse.
pub fn dnsbl(findings: &[Finding], error: Option<&str>) -> (String, State) {
    const ORDER: [State; 4] = [State::Ok, State::Warning, State::Unknown, State::Critical];
    let rank = |state: &State| ORDER.iter().position(|one| one == state);
    let states = findings.iter().map(state);
    let failed = (error.is_some() || findings.is_empty()).then_some(State::Unknown);
    let worst = states
        .chain(failed)
        .max_by_key(rank)
        .unwrap_or(State::Unknown);
    let said: Vec<_> = findings.iter().map(sentence).collect();
    let why = error.map(clean).into_iter();
    let text = said.into_iter().chain(why).collect::<Vec<_>>().join("; ");
    let data: Vec<_> = findings
        .iter()
        .map(|f| performance(f, findings.len() > 1))
        .collect();
    let bar = if data.is_empty() { "" } else { " | " };
    (
        format!("DNSBL {} - {text}{bar}{}\n", worst.word(), data.join(" ")),
        worst,
    )
}

fn sentence(finding: &Finding) -> String {
    let subject = clean(&finding.subject.to_string());
    let ids: Vec<_> = finding.listings().map(|v| v.source.id.as_str()).collect();
    match (ids.is_empty(), finding.answered()) {
        (false, answered) => format!(
            "{subject} on {} of {answered} lists: {}",
            ids.len(),
            ids.join(", ")
        ),
        (true, 0) => format!("{subject}: no list gave an answer worth trusting"),
        (true, answered) => format!("{subject} on none of {answered} lists"),
    }
}

fn performance(finding: &Finding, labelled: bool) -> String {
    // A label must not hold a quotation mark or an equals sign; names and addresses have none.
    let label = |what: &str| {
        if labelled {
            format!("'{} {what}'", clean(&finding.subject.to_string()))
        } else {
            what.to_string()
        }
    };
    let slowest = finding
        .verdicts
        .iter()
        .filter_map(|v| v.took)
        .max()
        .unwrap_or_default();
    let unknown = finding.asked() - finding.answered();
    format!(
        "{}={};0;0;0;{} {}={unknown} {}={:.3}s",
        label("listed"),
        finding.listed(),
        finding.answered(),
        label("unknown"),
        label("time"),
        slowest.as_secs_f64()
    )
}

/// Text for the status line: the bar starts the performance data.
fn clean(text: &str) -> String {
    safe_ascii(text).replace(['|', '\n'], "/")
}

/// What the exit code of that world is when the command could not even start.
pub fn unusable(error: &str) -> (String, State) {
    (
        format!("DNSBL UNKNOWN - {}\n", clean(error)),
        State::Unknown,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dns::Name;
    use crate::dnsbl::source::Choice;
    use crate::dnsbl::subject::Subject;
    use crate::dnsbl::verdict::{Status, Verdict};

    /// What one list of this weight says about a name.
    fn found(name: &str, weight: Weight, status: Status) -> Finding {
        let choice = Choice {
            lists: vec!["spamcop".into()],
            ..Choice::default()
        };
        let mut source = choice.sources().unwrap().remove(0);
        source.weight = weight;
        let verdict = Verdict::without(&Arc::new(source), status, None);
        Finding {
            subject: Subject::Domain(Name::parse(name).unwrap()),
            scope: None,
            from: None,
            verdicts: vec![verdict],
            distrust: None,
        }
    }

    #[test]
    fn the_weight_of_the_list_makes_the_state_and_silence_is_unknown() {
        for (weight, status, expected) in [
            (Weight::High, Status::Listed, State::Critical),
            (Weight::Medium, Status::Listed, State::Critical),
            (Weight::Low, Status::Listed, State::Warning),
            (Weight::Info, Status::Listed, State::Warning),
            (Weight::High, Status::Clean, State::Ok),
            (Weight::High, Status::Timeout, State::Unknown),
            (Weight::High, Status::Refused, State::Unknown),
        ] {
            assert_eq!(
                state(&found("a.test", weight, status)),
                expected,
                "{status:?}"
            );
        }
    }

    #[test]
    fn of_several_the_worst_counts_and_unknown_is_worse_than_a_warning() {
        let ok = found("ok.test", Weight::High, Status::Clean);
        let warning = found("warning.test", Weight::Low, Status::Listed);
        let unknown = found("unknown.test", Weight::High, Status::Timeout);
        let critical = found("critical.test", Weight::High, Status::Listed);
        let worst = |findings: &[&Finding]| {
            let findings: Vec<_> = findings.iter().copied().cloned().collect();
            dnsbl(&findings, None).1
        };
        assert_eq!(worst(&[&ok, &warning]), State::Warning);
        assert_eq!(worst(&[&unknown, &warning, &ok]), State::Unknown);
        assert_eq!(worst(&[&unknown, &critical, &warning]), State::Critical);
        // What could not even be asked is not known.
        assert_eq!(dnsbl(&[ok], Some("x: no such host")).1, State::Unknown);
        assert_eq!(dnsbl(&[], None).1, State::Unknown);
    }

    #[test]
    fn nothing_foreign_begins_the_performance_data_or_another_line() {
        let (line, _) = dnsbl(&[], Some("a|b\nOK - c\x1B[2J"));
        assert_eq!(line, "DNSBL UNKNOWN - a/b\\x0AOK - c\\x1B[2J\n");
        assert_eq!(unusable("x|y").0, "DNSBL UNKNOWN - x/y\n");
        let (line, _) = dnsbl(&[found("a.test", Weight::High, Status::Listed)], None);
        assert_eq!(
            line,
            "DNSBL CRITICAL - a.test on 1 of 1 lists: spamcop | listed=1;0;0;0;1 unknown=0 time=0.000s\n"
        );
    }
}
