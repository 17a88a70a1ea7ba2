//! Targets to subjects: which of them are files, which are ranges, which names have addresses.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;

use crate::app::bulk;
use crate::dns::Lookup;
use crate::dnsbl::target::{self, Derived, Families, LARGEST_RANGE, Target};
use crate::message::source::{self, Item};

use super::mail;

/// Jobs that are found before somebody takes them.
const AHEAD: usize = 16;

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

/// The jobs of the targets, one after the other; a box of any size takes no more memory than its
/// longest mail.
pub(super) fn jobs(targets: Vec<OsString>, force: bool) -> impl Iterator<Item = Job> {
    targets
        .into_iter()
        .flat_map(move |target| -> Box<dyn Iterator<Item = Job> + Send> {
            match target_of(&target, force) {
                Some(job) => Box::new(std::iter::once(job)),
                None => Box::new(source::read(&[target]).map(|item| of_item(item, mail::subjects))),
            }
        })
}

/// Jobs as a thread of its own finds them, some ahead of those who take them: while a pipe is waited
/// for or a mail is read, the time of the questions that are open runs.
pub(super) fn ahead(
    jobs: impl Iterator<Item = Job> + Send + 'static,
) -> io::Result<impl Stream<Item = Job>> {
    let (give, mut take) = mpsc::channel(AHEAD);
    let find = move || {
        for job in jobs {
            if give.blocking_send(job).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(bulk::STACK);
    // Nobody waits for its end: it may be waiting for standard input.
    drop(thread.spawn(find)?);
    Ok(stream::poll_fn(move |context| take.poll_recv(context)))
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

/// What a mail of a box is asked about.
fn of_item(item: Item, subjects: impl Fn(&[u8]) -> Vec<Derived>) -> Job {
    let found = match &item.content {
        Ok(bytes) => bulk::guarded(|| subjects(bytes)).map_err(str::to_owned),
        Err(error) => Err(error.to_string()),
    };
    let error = match found {
        Ok(found) if !found.is_empty() => return Job::Mail(found),
        Ok(_) => {
            "no public address and no domain in it; give the whole source of a mail that went \
                  outside"
                .to_owned()
        }
        Err(error) => error,
    };
    Job::Failed {
        target: item.path,
        error,
    }
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
    use futures_util::StreamExt;

    use super::*;

    fn error(target: &str) -> String {
        match jobs(vec![target.into()], false).next() {
            Some(Job::Failed { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn large_ranges_need_an_explicit_word() {
        assert!(error("11.0.0.0/8").contains("--force"));
        for (range, force) in [("11.0.0.0/8", true), ("11.22.0.0/22", false)] {
            let all: Vec<_> = jobs(vec![range.into()], force).collect();
            assert!(matches!(all.as_slice(), [Job::Ask(_)]));
        }
    }

    #[test]
    fn a_missing_file_is_not_taken_for_a_domain() {
        assert!(error("there-is-no-such.eml").contains("file"));
        assert!(error("folder/none").contains("file"));
    }

    #[test]
    fn a_mail_that_the_reader_fails_on_costs_no_other() {
        let item = || {
            source::read_from("box", &b"From: a@b.example\n\nx\n"[..])
                .next()
                .unwrap()
        };
        let failed = of_item(item(), |_| panic!("on purpose"));
        assert!(matches!(failed, Job::Failed { error, .. } if error.contains("please report")));
        assert!(matches!(of_item(item(), mail::subjects), Job::Mail(_)));
    }

    #[tokio::test]
    async fn no_more_is_read_than_some_mails_ahead() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        const ALL: usize = 5000;
        let read = Arc::new(AtomicUsize::new(0));
        let counted = read.clone();
        let jobs = std::iter::repeat_with(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Job::Mail(Vec::new())
        });
        let mut jobs = std::pin::pin!(ahead(jobs.take(ALL)).unwrap());
        for taken in 1..=ALL {
            assert!(jobs.next().await.is_some());
            let ahead = read.load(Ordering::SeqCst) - taken;
            assert!(ahead <= AHEAD + 1, "{ahead}");
        }
        assert!(jobs.next().await.is_none());
    }
}
