//! Settings: the file, then the environment, then the flags; each value remembers where it came
//! from. Every key is a row of [`KEYS`], so that file, environment and `mailtrace config` agree.

mod choice;
mod keys;
mod lists;

pub use choice::{Choice, Family, Format};
pub use keys::{KEYS, Key};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bounce::advice::Audience;
use crate::dnsbl::source;
use crate::report::painter::When;

/// How long may be waited for an answer, in seconds.
pub const WAITS: std::ops::RangeInclusive<f64> = 0.01..=3600.0;

/// What the program goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The shape of the output.
    pub format: Format,
    /// When to use colour.
    pub color: When,
    /// The columns to fill; `None` asks the terminal.
    pub width: Option<usize>,
    /// As little as possible.
    pub quiet: bool,
    /// As much as there is.
    pub verbose: bool,
    /// How many workers; `None` is one per core.
    pub jobs: Option<usize>,
    /// Whether a progress bar may be shown.
    pub progress: bool,
    /// Whom `explain` speaks to.
    pub audience: Audience,
    /// The name servers to ask; none: the system's.
    pub resolver: Vec<SocketAddr>,
    /// How long to wait for an answer; `None` is what fits the command.
    pub timeout: Option<Duration>,
    /// Which addresses are used.
    pub family: Family,
    /// The table `dnsbl`: own zones, keys, and lists that are switched off.
    pub dnsbl: source::Choice,
}

impl Values {
    /// Only IPv4 is wanted.
    pub fn ipv4_only(&self) -> bool {
        self.family == Family::V4
    }

    /// Only IPv6 is wanted.
    pub fn ipv6_only(&self) -> bool {
        self.family == Family::V6
    }
}

impl Default for Values {
    fn default() -> Self {
        Self {
            format: Format::Human,
            color: When::Auto,
            width: None,
            quiet: false,
            verbose: false,
            jobs: None,
            progress: true,
            audience: Audience::Both,
            resolver: Vec::new(),
            timeout: None,
            family: Family::Any,
            dnsbl: source::Choice::default(),
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It was built in.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// The command line.
    Flag,
}

impl Origin {
    /// The id used in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message is the documentation")]
pub enum Error {
    #[error("{}: {why}; name another file with --config", .path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{}: line {line} is not TOML ({why}); write key = \"value\"", .path.display())]
    NotToml {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{}: unknown key \"{key}\"; {hint}", .path.display())]
    UnknownKey {
        path: PathBuf,
        key: String,
        hint: String,
    },
    #[error("{}: table dnsbl: {why}", .path.display())]
    Lists { path: PathBuf, why: String },
    #[error("{place}: \"{value}\" does not fit; write {values}")]
    Value {
        place: String,
        value: String,
        values: &'static str,
    },
}

/// The values and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the program goes by.
    pub values: Values,
    /// Where the value of each of [`KEYS`] came from.
    origins: [Origin; KEYS.len()],
    /// The file that was read, or that would be.
    pub file: Option<PathBuf>,
    /// Whether that file is there.
    pub file_read: bool,
}

/// One line of `mailtrace config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Where that came from.
    pub origin: Origin,
    /// The same for people: `MAILTRACE_WIDTH`, a path, `--width`.
    pub place: String,
}

/// A value given on the command line: the key and the word.
pub type Flag = (&'static str, String);

impl Settings {
    /// Puts the layers on each other: built in, file, environment, flags.
    ///
    /// `named` is the file of `--config`; `env` answers for an environment variable.
    pub fn load(
        named: Option<&Path>,
        flags: &[Flag],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let env_file = || {
            env("MAILTRACE_CONFIG")
                .filter(|p| !p.is_empty())
                .map(PathBuf::from)
        };
        let must_exist = named.map(Path::to_path_buf).or_else(env_file);
        let file = must_exist.clone().or_else(|| usual_place(&env));
        let mut settings = Self {
            values: Values::default(),
            origins: [Origin::Default; KEYS.len()],
            file,
            file_read: false,
        };
        if let Some(path) = settings.file.clone() {
            match std::fs::read_to_string(&path) {
                Ok(text) => settings.read_file(&path, &text)?,
                // The usual file may be missing, or lie in a home that this user may not look into
                // (a monitor that was started by root); one that is there and broken is told.
                Err(error) if must_exist.is_none() && is_absence(&error) => {}
                Err(error) => {
                    let why = crate::words::reason(&error);
                    return Err(Error::Unreadable { path, why });
                }
            }
        }
        for (n, key) in KEYS.iter().enumerate() {
            if let Some(value) = env(key.env).filter(|value| !value.is_empty()) {
                settings.set(n, key, &value, Origin::Environment, || key.env.to_owned())?;
            }
        }
        for (name, value) in flags {
            if let Some((n, key)) = KEYS.iter().enumerate().find(|(_, key)| key.name == *name) {
                settings.set(n, key, value, Origin::Flag, || key.flag.to_owned())?;
            }
        }
        Ok(settings)
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or(text);
            Error::NotToml {
                path: path.to_path_buf(),
                line: before.matches('\n').count() + 1,
                why: error.message().lines().collect::<Vec<_>>().join(", "),
            }
        })?;
        for (name, value) in &table {
            if name == lists::TABLE {
                self.values.dnsbl = lists::read(path, value)?;
                continue;
            }
            let Some((n, key)) = KEYS.iter().enumerate().find(|(_, key)| key.name == name) else {
                return Err(Error::UnknownKey {
                    path: path.to_path_buf(),
                    key: name.clone(),
                    hint: near(name),
                });
            };
            let value = word(value);
            let place = || format!("{}: {}", path.display(), key.name);
            self.set(n, key, &value, Origin::File, place)?;
        }
        self.file_read = true;
        Ok(())
    }

    fn set(
        &mut self,
        n: usize,
        key: &Key,
        value: &str,
        origin: Origin,
        place: impl Fn() -> String,
    ) -> Result<(), Error> {
        (key.set)(&mut self.values, value).ok_or_else(|| Error::Value {
            place: place(),
            value: value.to_owned(),
            values: key.values,
        })?;
        if let Some(slot) = self.origins.get_mut(n) {
            *slot = origin;
        }
        Ok(())
    }

    /// The table `dnsbl`, which is no single value and can only be in the file.
    fn lists(&self) -> Effective {
        let read = self.values.dnsbl != source::Choice::default();
        let file = self.file.as_ref().filter(|_| read);
        Effective {
            key: lists::TABLE,
            value: lists::show(&self.values.dnsbl),
            origin: if read { Origin::File } else { Origin::Default },
            place: file.map_or_else(|| "built in".to_owned(), |p| p.display().to_string()),
        }
    }

    /// Every key with its value and origin, in the order of [`KEYS`].
    pub fn effective(&self) -> Vec<Effective> {
        KEYS.iter()
            .zip(self.origins)
            .map(|(key, origin)| Effective {
                key: key.name,
                value: (key.show)(&self.values),
                origin,
                place: match origin {
                    Origin::Default => "built in".to_owned(),
                    Origin::File => self
                        .file
                        .as_ref()
                        .map_or_else(String::new, |p| p.display().to_string()),
                    Origin::Environment => key.env.to_owned(),
                    Origin::Flag => key.flag.to_owned(),
                },
            })
            .chain([self.lists()])
            .collect()
    }
}

/// `$XDG_CONFIG_HOME/mailtrace/config.toml`, or the same below `~/.config`.
fn usual_place(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    // The XDG base directory specification: a relative path is to be ignored.
    let base = env("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(Path::new(&env("HOME").filter(|h| !h.is_empty())?).join(".config")))?;
    Some(base.join("mailtrace").join("config.toml"))
}

fn is_absence(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}

/// The value of a key as the word that an environment variable would hold; what cannot be one is
/// named by its type, which fits no key and so is complained of.
fn word(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(words) => words.iter().map(word).collect::<Vec<_>>().join(", "),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(choice) => choice.to_string(),
        other => format!("({})", other.type_str()),
    }
}

/// What may have been meant by an unknown key.
fn near(name: &str) -> String {
    let best = KEYS
        .iter()
        .map(|key| (crate::words::distance(name, key.name), key.name))
        .min();
    match best {
        Some((steps, key)) if steps <= 2.max(name.len() / 3) => format!("did you mean \"{key}\"?"),
        _ => {
            let all: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            format!("the keys are {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, flags: &[Flag], vars: &[(&str, &str)]) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let env = |name: &str| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Settings::load(Some(&path), flags, env)
    }

    #[test]
    fn flags_beat_the_environment_and_that_beats_the_file() {
        let file = "width = 70\nformat = \"json\"\nprogress = false\ncolor = \"never\"\n";
        let vars = [
            ("MAILTRACE_WIDTH", "90"),
            ("MAILTRACE_FORMAT", ""),
            ("MAILTRACE_COLOR", "always"),
        ];
        let settings = load(file, &[("width", "100".to_owned())], &vars).unwrap();
        assert_eq!(settings.values.width, Some(100));
        assert_eq!(settings.values.format, Format::Json);
        let origins: Vec<_> = settings
            .effective()
            .into_iter()
            .map(|line| (line.key, line.origin))
            .collect();
        assert!(origins.contains(&("width", Origin::Flag)));
        assert!(origins.contains(&("format", Origin::File)));
        assert!(origins.contains(&("color", Origin::Environment)));
        assert!(origins.contains(&("audience", Origin::Default)));
        assert_eq!(settings.values.color.word(), "always");
    }

    #[test]
    fn an_unknown_key_names_the_near_one() {
        let error = load("colour = \"never\"\n", &[], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("unknown key \"colour\"; did you mean \"color\"?"),
            "{error}"
        );
        let error = load("zzzzzzzzz = 1\n", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("the keys are format, color"), "{error}");
    }

    #[test]
    fn a_wrong_value_says_what_would_be_right() {
        let error = load("width = 0\n", &[], &[]).unwrap_err().to_string();
        assert!(error.ends_with("width: \"0\" does not fit; write auto or a number of columns"));
        let error = load("", &[], &[("MAILTRACE_COLOR", "red")])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "MAILTRACE_COLOR: \"red\" does not fit; write auto, always or never"
        );
        let error = load("width = \n", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("line 1 is not TOML"), "{error}");
    }

    #[test]
    fn the_usual_place_may_be_empty_but_a_named_file_must_be_there() {
        let env = |name: &str| (name == "HOME").then(|| "/nonexistent".to_owned());
        let settings = Settings::load(None, &[], env).unwrap();
        assert_eq!(settings.values, Values::default());
        assert_eq!(
            settings.file.unwrap(),
            Path::new("/nonexistent/.config/mailtrace/config.toml")
        );
        let error = Settings::load(Some(Path::new("/nonexistent/x")), &[], env).unwrap_err();
        assert!(error.to_string().contains("no such file or folder"));
    }

    #[test]
    fn a_fraction_and_a_list_are_values_of_toml() {
        let settings = load(
            "timeout = 2.5\nresolver = [\"192.0.2.1\", \"192.0.2.2:5353\"]\n",
            &[],
            &[],
        );
        let values = settings.unwrap().values;
        assert_eq!(values.timeout, Some(Duration::from_millis(2500)));
        assert_eq!(values.resolver.len(), 2);
        // A number is no address, and a list of none of them is not "ask the system's".
        let error = load("resolver = [53]\n", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("resolver: \"53\" does not fit"), "{error}");
        let error = load("width = 1979-05-27\n", &[], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("width: \"(datetime)\" does not fit"),
            "{error}"
        );
    }

    #[test]
    fn a_usual_file_that_is_no_text_is_not_passed_over_in_silence() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/mailtrace");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), b"# f\xFCr\nwidth = 50\n").unwrap();
        let env = |name: &str| (name == "HOME").then(|| home.path().display().to_string());
        let error = Settings::load(None, &[], env).unwrap_err().to_string();
        assert!(error.contains("this is not text"), "{error}");
    }

    #[test]
    fn every_key_reads_what_it_shows() {
        for key in &KEYS {
            let mut values = Values::default();
            let shown = (key.show)(&values);
            assert_eq!((key.set)(&mut values, &shown), Some(()), "{}", key.name);
            assert_eq!(values, Values::default());
        }
    }
}
