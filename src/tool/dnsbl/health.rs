//! Is a list itself to be believed? Its test entries tell (RFC 5782 §5): one that must be on
//! the list, one that must not.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::dns::{Data, Failure, Kind, Lookup, Name, Patience, Pulse, Question};
use crate::dnsbl::reading::{self, Reading};
use crate::dnsbl::source::Source;
use crate::dnsbl::subject::Subject;

/// What the test entries of a list say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Health {
    /// The one is listed, the other is not.
    Healthy,
    /// Both are listed: it lists the world, or answers everybody the same.
    ListsEverything,
    /// Neither is there: the list is empty, or is run without test entries.
    Empty,
    /// The entry that must be listed is not, though something else is said.
    Unsure,
    /// The list refuses us.
    Refuses(String),
    /// The answers are no codes.
    Foreign(Ipv4Addr),
    /// No answer.
    Down(Failure),
    /// There is no test entry that could be asked.
    Untestable,
}

/// One test entry.
#[derive(Debug, Clone, PartialEq)]
enum Point {
    On(Reading),
    Off,
    NoData,
    Failed(Failure),
    NotAsked,
}

/// Asks the test entries of a list, as they are for this kind of subject. A list that has just
/// named the subject (`named`) has shown that it names something: it is asked only for the entry
/// that must not be there.
pub(super) async fn examine(
    lookup: &impl Lookup,
    source: &Source,
    subject: &Subject,
    named: Option<Reading>,
    wait: Duration,
    pulse: &Pulse,
) -> Health {
    let (listed, clean) = points(source, subject);
    let ask = async |points: Vec<Subject>| {
        let asked = points
            .into_iter()
            .map(|point| ask(lookup, source, point, wait, pulse));
        let answers = join_all(asked).await;
        // Of several, one that is listed decides: a zone may hold one kind of subject only.
        let on = answers.iter().find(|p| matches!(p, Point::On(_)));
        on.or(answers.first()).cloned().unwrap_or(Point::NotAsked)
    };
    let listed = async {
        match named {
            // Without any test entry it stays untestable.
            Some(reading) if !clean.is_empty() => Point::On(reading),
            _ => ask(listed).await,
        }
    };
    let (listed, clean) = join(listed, ask(clean.clone())).await;
    diagnose(listed, clean)
}

fn diagnose(listed: Point, clean: Point) -> Health {
    match (listed, clean) {
        (Point::On(Reading::Refused(why) | Reading::Misused(why)), _)
        | (_, Point::On(Reading::Refused(why))) => Health::Refuses(why),
        (Point::On(Reading::Foreign(ip)), _) | (_, Point::On(Reading::Foreign(ip))) => {
            Health::Foreign(ip)
        }
        (Point::On(_), Point::On(_)) => Health::ListsEverything,
        (Point::On(_), _) => Health::Healthy,
        (Point::Off, Point::Off | Point::NoData) => Health::Empty,
        (Point::Failed(failure), Point::Failed(_) | Point::NotAsked) => Health::Down(failure),
        (Point::NotAsked, Point::NotAsked) => Health::Untestable,
        (Point::NotAsked, Point::On(_)) => Health::ListsEverything,
        _ => Health::Unsure,
    }
}

async fn ask(
    lookup: &impl Lookup,
    source: &Source,
    point: Subject,
    wait: Duration,
    pulse: &Pulse,
) -> Point {
    let Some(name) = source
        .zone
        .as_ref()
        .and_then(|zone| point.asked_at(zone).ok())
    else {
        return Point::NotAsked;
    };
    let patience = Patience::unless_felt(wait, pulse.clone());
    let reply = lookup.lookup(Question::new(name, Kind::A), patience).await;
    match reply.result {
        Ok(answer) => {
            pulse.beat();
            Point::On(reading::read(source, &codes(&answer.data)))
        }
        Err(failure) => {
            if failure.is_answer() {
                pulse.beat();
            }
            match failure {
                Failure::NxDomain => Point::Off,
                Failure::NoData => Point::NoData,
                other => Point::Failed(other),
            }
        }
    }
}

/// The codes of an answer.
pub(super) fn codes(data: &[Data]) -> Vec<Ipv4Addr> {
    data.iter()
        .filter_map(|data| match data {
            Data::A(ip) => Some(*ip),
            _ => None,
        })
        .collect()
}

/// The test entries to ask: those of the catalogue, else those of RFC 5782.
fn points(source: &Source, subject: &Subject) -> (Vec<Subject>, Vec<Subject>) {
    if !source.tests {
        return (Vec::new(), Vec::new());
    }
    let Some(list) = source.list else {
        let (listed, clean): (&[&str], &[&str]) = match subject {
            Subject::V4(_) => (&["127.0.0.2"], &["127.0.0.1"]),
            // Own lists for both families often have the old entry only.
            Subject::V6(_) => (&["::ffff:7f00:2", "127.0.0.2"], &["::ffff:7f00:1"]),
            Subject::Domain(_) => (&["test"], &["invalid"]),
        };
        return (written(listed), written(clean));
    };
    let one = |points: &'static [&'static str]| {
        let v6 = points
            .iter()
            .find(|p| matches!(subject, Subject::V6(_)) && p.contains(':'));
        written(v6.or(points.first()).map_or(&[], std::slice::from_ref))
    };
    (one(list.listed_points), one(list.clean_points))
}

/// Test entries as subjects. `::ffff:7f00:2` is asked in its IPv6 form, not as 127.0.0.2.
fn written(points: &[&str]) -> Vec<Subject> {
    points
        .iter()
        .filter_map(|point| match point.parse() {
            Ok(IpAddr::V4(ip)) => Some(Subject::V4(ip)),
            Ok(IpAddr::V6(ip)) => Some(Subject::V6(ip)),
            Err(_) => Name::parse(point).ok().map(Subject::Domain),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> Point {
        Point::On(Reading::On(Vec::new()))
    }

    #[test]
    fn the_two_test_entries_tell_the_state_of_a_list() {
        use Point::{Failed, NoData, NotAsked, Off};
        let refused = Point::On(Reading::Refused("no".into()));
        let parked = Point::On(Reading::Foreign([203, 0, 113, 8].into()));
        assert_eq!(diagnose(on(), Off), Health::Healthy);
        assert_eq!(diagnose(on(), Failed(Failure::Timeout)), Health::Healthy);
        assert_eq!(diagnose(on(), on()), Health::ListsEverything);
        assert_eq!(
            diagnose(refused.clone(), refused),
            Health::Refuses("no".into())
        );
        assert_eq!(
            diagnose(parked.clone(), parked),
            Health::Foreign([203, 0, 113, 8].into())
        );
        assert_eq!(diagnose(Off, Off), Health::Empty);
        assert_eq!(diagnose(NoData, NoData), Health::Unsure);
        let down = Failed(Failure::ServFail);
        assert_eq!(
            diagnose(down.clone(), down),
            Health::Down(Failure::ServFail)
        );
        assert_eq!(diagnose(NotAsked, NotAsked), Health::Untestable);
        assert_eq!(diagnose(NotAsked, Off), Health::Unsure);
    }
}
