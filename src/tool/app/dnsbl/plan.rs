//! Targets to subjects: which of them are files, which are ranges, which names have addresses.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::dns::Lookup;
use crate::dnsbl::target::{self, Derived, Families, LARGEST_RANGE, Target};
use crate::message::source;

use super::mail;

/// One target, as far as it is known without asking anybody.
#[derive(Debug, PartialEq)]
pub(super) enum Job {
    /// To be asked about.
    Ask(Target),
    /// The subjects of a message, and its name.
    Mail(Vec<Derived>),
    /// It is none.
    Failed { target: String, error: String },
}

/// One step of the run.
#[derive(Debug)]
pub(super) enum Work {
    /// A subject to ask about, and the range it belongs to.
    Check(Derived, Option<Arc<str>>),
    /// It was asked.
    Done(Option<Arc<str>>),
    /// The range is through.
    End(Arc<str>),
    /// The target cannot be asked about.
    Failed { target: String, error: String },
}

/// The jobs of the targets.
pub(super) fn jobs(targets: &[OsString], force: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    for target in targets {
        match target_of(target, force) {
            Some(job) => jobs.push(job),
            None => jobs.extend(mails(target)),
        }
    }
    jobs
}

/// A target that is no file. What is there as a file is one, unless it is an address.
fn target_of(text: &OsStr, force: bool) -> Option<Job> {
    let word = text.to_str()?;
    let target = Target::parse(word);
    let is_name = !matches!(target, Some(Target::Address(_) | Target::Range(_)));
    if word == "-" || (is_name && Path::new(text).exists()) {
        return None;
    }
    let failed = |error: &str| {
        let error = error.to_string();
        Some(Job::Failed {
            target: word.to_string(),
            error,
        })
    };
    match target {
        Some(Target::Range(net)) if Target::size(&net) > LARGEST_RANGE && !force => {
            let error = format!(
                "{} addresses are too many for public lists (a /22 is the limit); ask parts of it, or use --force",
                Target::size(&net)
            );
            failed(&error)
        }
        Some(target) if !looks_like_a_file(word) => Some(Job::Ask(target)),
        _ => failed("neither an address, a range, a name nor a file; check the spelling"),
    }
}

/// A name that is none, but is surely meant for a file: there is no such top-level domain.
fn looks_like_a_file(word: &str) -> bool {
    const FILES: [&str; 4] = [".eml", ".msg", ".mbox", ".txt"];
    let lower = word.to_ascii_lowercase();
    FILES.iter().any(|end| lower.ends_with(end))
}

fn mails(path: &OsStr) -> Vec<Job> {
    let mut jobs = Vec::new();
    for item in source::read(&[path]) {
        let name = item.path.clone();
        jobs.push(match item.content {
            Ok(bytes) => match mail::subjects(&bytes) {
                none if none.is_empty() => Job::Failed {
                    target: name,
                    error: "no public address and no domain in it; give the whole source of a \
                            mail that went outside"
                        .to_string(),
                },
                found => Job::Mail(found),
            },
            Err(error) => Job::Failed {
                target: name,
                error: error.to_string(),
            },
        });
    }
    jobs
}

/// The steps of a job; names are looked up for that.
pub(super) async fn expand(
    job: Job,
    lookup: &impl Lookup,
    families: Families,
    wait: Duration,
) -> Box<dyn Iterator<Item = Work>> {
    let wanted = move |derived: &Derived| match derived.subject.ip() {
        Some(ip) => {
            if ip.is_ipv4() {
                families.v4
            } else {
                families.v6
            }
        }
        None => true,
    };
    let check = |derived| Work::Check(derived, None);
    match job {
        // What the user typed is asked about whatever family is wished for.
        Job::Ask(Target::Address(ip)) => {
            Box::new(Derived::of_address(ip, None).into_iter().map(check))
        }
        Job::Ask(Target::Name(name)) => {
            let all = target::expand(lookup, &name, families, wait).await;
            Box::new(all.into_iter().map(check))
        }
        Job::Ask(Target::Range(net)) => {
            let name: Arc<str> = Arc::from(net.to_string());
            let end = Work::End(Arc::clone(&name));
            let from = Some(format!("address of {net}"));
            let of_range = move |ip: std::net::IpAddr| {
                let derived = Derived {
                    subject: ip.into(),
                    from: from.clone(),
                };
                Work::Check(derived, Some(Arc::clone(&name)))
            };
            Box::new(Target::addresses(&net).map(of_range).chain([end]))
        }
        Job::Mail(found) => Box::new(found.into_iter().filter(wanted).map(check)),
        Job::Failed { target, error } => Box::new(std::iter::once(Work::Failed { target, error })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(target: &str) -> String {
        match jobs(&[target.into()], false).remove(0) {
            Job::Failed { error, .. } => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn large_ranges_need_an_explicit_word() {
        assert!(error("11.0.0.0/8").contains("--force"));
        assert!(matches!(
            jobs(&["11.0.0.0/8".into()], true).as_slice(),
            [Job::Ask(_)]
        ));
        assert!(matches!(
            jobs(&["11.22.0.0/22".into()], false).as_slice(),
            [Job::Ask(_)]
        ));
    }

    #[test]
    fn a_missing_file_is_not_taken_for_a_domain() {
        assert!(error("there-is-no-such.eml").contains("file"));
        assert!(error("folder/none").contains("file"));
    }
}
