//! A message through the chain, from the MUA to the mailbox or back.

use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use tokio::time::{Instant, sleep};

use crate::send::arrival;
use crate::send::compose::Draft;
use crate::send::hand_over::{Handed, Letter, Manner, Needs, Place, hand_over};
use crate::send::round::{Event, Round, Status};
use crate::send::sight::{Sight, look};
use crate::smtp::Deadlines;
use crate::smtp::TlsMode;
use crate::smtp::sasl::{Credentials, Secret};

use super::plan::{Answer, Part, Plan, SENDER, USER};
use super::{Broken, Chain, answer, events};

/// How long a message may take at most.
const LONGEST: Duration = Duration::from_secs(15);
/// How often the mailboxes are looked into.
const TICK: Duration = Duration::from_millis(4);

/// How long the logs may take for their last words.
const AFTERWARDS: Duration = Duration::from_millis(25);

/// What is wanted of a run beside its plan.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The message; token and addresses are those of the chain.
    pub draft: Draft,
    /// RET of RFC 3461.
    pub ret: Option<&'static str>,
    /// ENVID of RFC 3461, in place of the token.
    pub envid: Option<String>,
    /// NOTIFY of RFC 3461.
    pub notify: Option<String>,
    /// What the server has to be capable of.
    pub needs: Needs,
    /// The message that arrives is enough, or a notice; `true` waits for both.
    pub both: bool,
}

/// Sends a message through a chain with its files under a folder.
pub async fn play(plan: &Plan, dir: &Path, wish: &Wish) -> Result<Round, Broken> {
    let mut draft = wish.draft.clone();
    draft.host = Part::Msa.host().to_string();
    draft.from = SENDER.to_string();
    draft.to = vec![plan.to.clone()];
    draft.size = plan.size.or(draft.size);
    draft.fields.extend(plan.fields.iter().cloned());
    let message = draft.write();
    let message = message.map_err(|error| Broken::Plan(error.to_string()))?;
    let chain = Chain::start(plan, dir).await?;
    let (clock, started) = (SystemTime::now(), Instant::now());
    let token = draft.token.clone();
    let mut round = Round {
        token: token.to_string(),
        message_id: draft.message_id(),
        from: SENDER.to_string(),
        to: draft.to.clone(),
        ..Round::default()
    };
    let notify = plan.notify.clone().or(wish.notify.clone());
    let letter = Letter {
        from: SENDER.to_string(),
        to: draft.to.clone(),
        ret: wish.ret.or(Some("HDRS")),
        envid: Some(wish.envid.clone().unwrap_or(token.to_string())),
        notify: notify.clone(),
        needs: wish.needs,
        message,
    };
    let handed = hand_over(&place(&chain), &letter, &manner(plan, &chain)).await;
    let mut events = vec![submission(&handed, plan)];
    round.take(handed);
    if round
        .recipients
        .iter()
        .any(|one| one.reply_code.is_some_and(|code| code < 400))
    {
        let wants =
            wish.both || plan.answer.is_some() || notify.is_some_and(|n| n.contains("SUCCESS"));
        let watch = Watch {
            chain: &chain,
            letter: &letter,
            draft: &draft,
            started,
            wants_both: wants,
        };
        watch.wait(&mut round, plan.answer).await;
    } else {
        round.arrival.status = Status::NotWaited;
    }
    round.took = started.elapsed();
    // A file is seen a moment before the log tells of it.
    sleep(AFTERWARDS).await;
    events.extend(events::read(&chain.logs(), clock));
    events.sort_by_key(|event| event.at);
    round.events = events;
    keep(&chain, dir, &letter.message);
    chain.stop().await;
    Ok(round)
}

fn place(chain: &Chain) -> Place {
    Place {
        host: Part::Msa.host().to_string(),
        ip: chain.submission.ip(),
        port: chain.submission.port(),
        socket: None,
    }
}

fn manner(plan: &Plan, chain: &Chain) -> Manner {
    let password = if plan.knows_password {
        chain.password.clone()
    } else {
        "not the password".to_string()
    };
    Manner {
        helo: Some("pc.home.test".to_string()),
        tls: TlsMode::Auto,
        credentials: plan.login.then(|| Credentials {
            user: USER.to_string(),
            secret: Secret::Password(password),
        }),
        insecure_auth: false,
        mechanism: None,
        lmtp: false,
        // The certificate was made a moment ago, nobody could know it.
        roots: None,
        deadlines: Deadlines {
            quit: Duration::from_millis(50),
            ..Deadlines::interactive()
        },
        now: Utc::now(),
    }
}

fn submission(handed: &Handed, plan: &Plan) -> Event {
    let place = &handed.place;
    let who = if plan.login {
        format!(" as {USER}")
    } else {
        " without login".to_string()
    };
    let how = match &handed.session {
        Some(session) => format!("TLS {}", session.version.trim_start_matches("TLSv")),
        None => "no TLS".to_string(),
    };
    Event {
        at: Duration::ZERO,
        role: "MUA",
        host: "you".to_string(),
        text: format!(
            "hands the message to the MSA on {}:{}{who} ({how})",
            place.ip, place.port
        ),
    }
}

struct Watch<'w> {
    chain: &'w Chain,
    letter: &'w Letter,
    draft: &'w Draft,
    started: Instant,
    wants_both: bool,
}

impl Watch<'_> {
    async fn wait(&self, round: &mut Round, mut answer: Option<Answer>) {
        let mut seen = Vec::new();
        round.arrival.status = Status::Pending;
        while self.started.elapsed() < LONGEST {
            let mut folders = subfolders(&self.chain.recipient_boxes());
            folders.push(self.chain.sender_box());
            for folder in folders {
                for path in files(&folder.join("new")) {
                    if seen.contains(&path) {
                        continue;
                    }
                    if let Ok(message) = std::fs::read(&path) {
                        self.found(&message, &folder, round);
                        let arrived = round.arrival.status == Status::Arrived;
                        if let Some(answer) = answer.take_if(|_| arrived) {
                            self.answer(answer, &message).await;
                        }
                    }
                    seen.push(path);
                }
            }
            let arrived = round.arrival.status == Status::Arrived;
            let told = !round.arrival.notices.is_empty();
            if (arrived || told) && (!self.wants_both || (arrived && told)) {
                break;
            }
            sleep(TICK).await;
        }
    }

    /// The recipient's side says something back.
    async fn answer(&self, answer: Answer, message: &[u8]) {
        let letter = Letter {
            // RFC 3834 section 3.3: an answer must not be answered.
            from: String::new(),
            to: vec![SENDER.to_string()],
            ret: None,
            envid: None,
            notify: None,
            needs: Needs::default(),
            message: answer::write(answer, message, &self.draft.message_id()),
        };
        let at = self.chain.mfa;
        let place = Place {
            host: Part::Mfa.host().to_string(),
            ip: at.ip(),
            port: at.port(),
            socket: None,
        };
        let manner = Manner {
            helo: Some(Part::Mda.host().to_string()),
            credentials: None,
            ..manner(&Plan::new(), self.chain)
        };
        // When it is not taken, no answer comes, and that is what is told.
        drop(hand_over(&place, &letter, &manner).await);
    }

    fn found(&self, message: &[u8], folder: &Path, round: &mut Round) {
        let after = self.started.elapsed();
        let arrival = &mut round.arrival;
        match look(message, &self.draft.token) {
            Some(Sight::Arrived) => {
                arrival.status = Status::Arrived;
                arrival.after = Some(after);
                arrival.place = Some(folder.display().to_string());
                arrival.route = Some(arrival::way(message));
                arrival.changes = arrival::changes(&self.letter.message, message);
            }
            Some(Sight::Reported(all)) => {
                for one in all {
                    use crate::bounce::explanation::Report;
                    if one.report == Report::Failed && arrival.status != Status::Arrived {
                        arrival.status = Status::Bounced;
                    }
                    arrival.after = arrival.after.or(Some(after));
                    arrival.notices.push((after, one));
                }
            }
            None => {}
        }
    }
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let entries = entries.filter_map(Result::ok).map(|entry| entry.path());
    entries.collect()
}

fn subfolders(dir: &Path) -> Vec<std::path::PathBuf> {
    let all = files(dir).into_iter();
    all.filter(|path| path.is_dir()).collect()
}

/// Lays logs and the message beside the mailboxes, for those who keep the folder.
fn keep(chain: &Chain, dir: &Path, message: &[u8]) {
    let logs = dir.join("logs");
    // A folder that is about to be deleted needs no logs, and a full disk is no reason to fail.
    if std::fs::create_dir(&logs).is_err() {
        return;
    }
    for (part, log) in chain.logs() {
        let name = format!("{}.jsonl", part.word().to_ascii_lowercase());
        drop(std::fs::write(logs.join(name), log));
    }
    drop(std::fs::write(dir.join("sent.eml"), message));
}
