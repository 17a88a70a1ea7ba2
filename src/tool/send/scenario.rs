//! Scenarios: what can go wrong on the way of a mail, played by the embedded chain, and whether
//! the explanation of what comes back is right. They stand in `data/scenarios.toml`.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;

use crate::bounce::cause::Cause;
use crate::bounce::explanation::{Explanation, Report};
use crate::mta::fault::Rule;
use crate::mta::settings::TlsSource;

use super::Round;
use super::chain::plan::{AWAY, Answer, Part, Plan};
use super::chain::play::{Wish, play};
use super::chain::{Broken, folder::Folder};

/// Chains that run at the same time.
const AT_ONCE: usize = 10;

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What happens, in one line.
    pub what: String,
    /// The part that is to blame: `msa`, `mta`, `mfa`, `mda`.
    pub at: String,
    /// How that part misbehaves, as `serve --fault` has it.
    #[serde(default)]
    pub fault: Vec<String>,
    /// How the chain is set up, see [`setup`].
    pub setup: Option<String>,
    /// What comes of it.
    pub ends: End,
    /// The causes that are right for it.
    pub causes: Vec<String>,
}

/// What comes of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The MUA is refused at once.
    Refused,
    /// A bounce comes back.
    Bounce,
    /// A warning comes back.
    Delay,
    /// A report comes back that is no failure.
    Report,
}

impl End {
    /// In one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refusal",
            Self::Bounce => "bounce",
            Self::Delay => "warning",
            Self::Report => "report",
        }
    }
}

#[derive(Deserialize)]
struct File {
    scenario: Vec<Scenario>,
}

/// All scenarios. They are read when somebody first asks for one.
pub fn all() -> &'static [Scenario] {
    static ALL: OnceLock<Vec<Scenario>> = OnceLock::new();
    ALL.get_or_init(|| {
        // A test reads the file, so that it cannot be broken here.
        let file = toml::from_str::<File>(include_str!("../data/scenarios.toml"));
        file.map(|file| file.scenario).unwrap_or_default()
    })
}

/// A scenario that was played.
#[derive(Debug, Clone)]
pub struct Played {
    /// Which one.
    pub scenario: &'static Scenario,
    /// What happened.
    pub round: Round,
    /// What `explain` makes of it.
    pub explained: Option<Cause>,
    /// Whether that is right, and came in the way it should.
    pub right: bool,
}

impl Scenario {
    /// The scenario of a name; that of a cause where no name fits.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.trim();
        let by_name = all().iter().find(|s| s.name.eq_ignore_ascii_case(name));
        by_name.or_else(|| {
            all()
                .iter()
                .find(|s| s.causes.first().is_some_and(|c| c == name))
        })
    }

    /// The part that is to blame.
    pub fn part(&self) -> Option<Part> {
        let same = |part: &Part| part.word().eq_ignore_ascii_case(&self.at);
        Part::ALL.into_iter().find(same)
    }

    /// The chain that plays it.
    pub fn plan(&self) -> Result<Plan, Broken> {
        let mut plan = Plan::new();
        let part = self.part();
        let part = part.ok_or_else(|| Broken::Plan(format!("no part is called {}", self.at)))?;
        for rule in &self.fault {
            let rule = Rule::parse(rule).map_err(|error| Broken::Plan(error.to_string()))?;
            plan.station(part).faults.push(rule);
        }
        if let Some(id) = &self.setup {
            setup(id, part, &mut plan)
                .ok_or_else(|| Broken::Plan(format!("no set-up is called {id}")))?;
        }
        if self.ends == End::Delay {
            // The clock jumps from attempt to attempt: the last word must not overtake the warning.
            const PATIENT: Duration = Duration::from_secs(1000 * 24 * 3600);
            for station in &mut plan.stations {
                station.delivery.schedule.expire_after = PATIENT;
            }
        }
        Ok(plan)
    }

    /// Plays it with its files under a folder.
    pub async fn play(&'static self, dir: &Path, wish: &Wish) -> Result<Played, Broken> {
        let mut wish = wish.clone();
        wish.both |= self.ends == End::Report;
        let round = play(&self.plan()?, dir, &wish).await?;
        let explained = self.explained(&round);
        let right = explained.is_some_and(|cause| self.causes.iter().any(|c| c == cause.id()));
        Ok(Played {
            scenario: self,
            round,
            explained,
            right,
        })
    }

    /// The cause in what came back, when it came in the way it should.
    fn explained(&self, round: &Round) -> Option<Cause> {
        let notices = round.arrival.notices.iter().map(|(_, notice)| notice);
        let of = |report: fn(Report) -> bool| {
            let first = notices.clone().find(|notice| report(notice.report));
            first.and_then(|notice: &Explanation| notice.recipients.first())
        };
        let recipient = match self.ends {
            End::Refused => round.recipients.first(),
            End::Bounce => of(|report| report == Report::Failed),
            End::Delay => of(|report| report == Report::Delayed),
            End::Report => of(|report| !matches!(report, Report::Failed | Report::Delayed)),
        };
        recipient.map(|one| one.cause)
    }
}

/// Changes the chain; `None`: there is no set-up of this name.
fn setup(id: &str, part: Part, plan: &mut Plan) -> Option<()> {
    const KIB: u64 = 1 << 10;
    let away = |what: &str| format!("[[answer]]\nname = \"{AWAY}\"\n{what}\n");
    match id {
        "unknown-user" => plan.to = format!("nobody@{AWAY}"),
        "no-domain" => plan.names = "answer = []".to_string(),
        "null-mx" => plan.names = away("mx = [\"0 .\"]"),
        "dns-broken" => plan.names = away("failure = \"servfail\""),
        "disabled" => plan.mailboxes = vec!["bob:disabled".to_string()],
        "quota" => {
            plan.mailboxes = vec!["bob:quota=2k".to_string()];
            plan.size = Some(8 << 10);
        }
        "size" => {
            plan.station(part).settings.limits.message = 4 * KIB;
            plan.size = Some(16 << 10);
        }
        "down" => plan.station(part).is_down = true,
        "hops" => plan.station(part).settings.limits.hops = 1,
        "patience" => {
            let delivery = &mut plan.station(Part::Msa).delivery;
            delivery.schedule.warn_after = None;
            // Ours would add its own guess.
            delivery.style = crate::mta::notify::Style::Postfix;
        }
        "murky" => plan.answer = Some(Answer::Murky),
        "greylist" => plan.station(part).settings.greylist = Some(Duration::from_secs(3600)),
        "no-login" => plan.login = false,
        "wrong-password" => plan.knows_password = false,
        "not-responsible" => plan.station(part).settings.relay_to.clear(),
        "tls-required" => {
            plan.station(Part::Msa).delivery.tls = crate::mta::delivery::Tls::Required;
            plan.station(part).settings.tls = TlsSource::Off;
        }
        "utf8-address" => plan.to = format!("jürgen@{AWAY}"),
        "notify-success" => plan.notify = Some("SUCCESS,FAILURE".to_string()),
        "vacation" => plan.answer = Some(Answer::Vacation),
        "challenge" => plan.answer = Some(Answer::Challenge),
        "complaint" => plan.answer = Some(Answer::Complaint),
        _ => return None,
    }
    Some(())
}

/// Plays all scenarios, several at a time; they come in their order. Each has a folder of its
/// name below `dir`, or one that goes away.
pub fn play_all<'a>(
    dir: Option<&'a Path>,
    wish: impl Fn() -> Option<Wish> + 'a,
) -> impl Stream<Item = (&'static Scenario, Result<Played, Broken>)> + 'a {
    let one = move |scenario: &'static Scenario| {
        let wish = wish();
        async move {
            let Some(wish) = wish else {
                return (scenario, Err(Broken::Plan("no random numbers".to_string())));
            };
            (scenario, in_folder(scenario, dir, &wish).await)
        }
    };
    stream::iter(all()).map(one).buffered(AT_ONCE)
}

async fn in_folder(
    scenario: &'static Scenario,
    dir: Option<&Path>,
    wish: &Wish,
) -> Result<Played, Broken> {
    let folder = match dir {
        Some(dir) => Folder::kept(&dir.join(&scenario.name)),
        None => Folder::temporary(),
    };
    let folder = folder.map_err(|error| Broken::Folder {
        dir: dir.map_or_else(std::env::temp_dir, |dir| dir.join(&scenario.name)),
        why: crate::words::reason(&error),
    })?;
    let mut played = scenario.play(folder.path(), wish).await?;
    played.round.kept = folder.stays().map(Path::to_path_buf);
    Ok(played)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_planned_and_every_cause_is_played() {
        let file: File = toml::from_str(include_str!("../data/scenarios.toml")).unwrap();
        for scenario in &file.scenario {
            scenario
                .plan()
                .unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
            assert!(!scenario.causes.is_empty(), "{}", scenario.name);
            for cause in &scenario.causes {
                assert!(Cause::from_id(cause).is_some(), "{cause}");
            }
        }
        for cause in Cause::ALL {
            let played = |s: &Scenario| s.causes.iter().any(|c| c == cause.id());
            assert!(file.scenario.iter().any(played), "{cause} is never played");
        }
    }

    #[test]
    fn a_cause_finds_its_scenario() {
        assert_eq!(Scenario::named("Over-Quota").unwrap().name, "over-quota");
        assert_eq!(
            Scenario::named("connection-failed").unwrap().name,
            "connection-refused"
        );
        assert!(Scenario::named("nonsense").is_none());
    }
}
