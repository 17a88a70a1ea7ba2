//! The mailboxes that live here: a Maildir each, under one directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::maildir::quota;

/// Whether mail for an address would be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is such a mailbox.
    Known,
    /// There is none.
    Unknown,
    /// There is one, and it is full (RFC 5321: 452 4.2.2).
    Full,
    /// There is one that takes nothing.
    Disabled,
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mailbox {
    /// Octets it may hold.
    pub quota: Option<u64>,
    /// Whether it takes nothing.
    pub disabled: bool,
}

/// All mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailboxes {
    dir: PathBuf,
    /// Empty: every local part has one, except those that begin with `unknown`.
    named: HashMap<String, Mailbox>,
}

/// Why `USER[:quota=1M]` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no mailbox; write USER or USER:quota=1M")]
pub struct BadMailbox(String);

impl Mailboxes {
    /// Mailboxes under a directory; every address has one.
    pub fn under(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            named: HashMap::new(),
        }
    }

    /// Adds one as `--mailbox` says it: `USER`, `USER:quota=1M`, `USER:disabled`. From the first
    /// on, only those that were added exist.
    pub fn add(&mut self, text: &str) -> Result<(), BadMailbox> {
        let bad = || BadMailbox(text.to_string());
        let mut parts = text.split(':');
        let user = parts.next().filter(|u| is_safe(u)).ok_or_else(bad)?;
        let mut mailbox = Mailbox::default();
        for part in parts {
            match part.split_once('=') {
                Some(("quota", size)) => mailbox.quota = Some(octets(size).ok_or_else(bad)?),
                None if part == "disabled" => mailbox.disabled = true,
                _ => return Err(bad()),
            }
        }
        self.named.insert(user.to_ascii_lowercase(), mailbox);
        Ok(())
    }

    /// Whether mail for this address, whose domain is one of ours, would be taken. Looks at the
    /// file system only where a mailbox has a quota.
    pub fn standing(&self, address: &Address) -> Standing {
        // RFC 5321 section 4.5.1: mail for postmaster is always taken.
        if address.is_postmaster() {
            return Standing::Known;
        }
        let name = name_of(&address.local);
        if self.named.is_empty() {
            let known = is_safe(&name) && !name.starts_with("unknown");
            return if known {
                Standing::Known
            } else {
                Standing::Unknown
            };
        }
        match self.named.get(&name) {
            None => Standing::Unknown,
            Some(mailbox) if mailbox.disabled => Standing::Disabled,
            Some(mailbox) if self.is_full(&name, mailbox) => Standing::Full,
            Some(_) => Standing::Known,
        }
    }

    /// Whether a mailbox has reached its quota. One that cannot be looked at is seen to when it is
    /// written to.
    fn is_full(&self, name: &str, mailbox: &Mailbox) -> bool {
        let Some(quota) = mailbox.quota else {
            return false;
        };
        let dir = self.dir.join(name);
        dir.is_dir() && quota::fits(&dir, quota, 1).is_ok_and(|fits| !fits)
    }

    /// The Maildir of an address and its quota; `None` when it has none.
    pub fn maildir(&self, address: &Address) -> Option<(PathBuf, Option<u64>)> {
        let name = if address.is_postmaster() {
            "postmaster".to_string()
        } else {
            name_of(&address.local)
        };
        if !is_safe(&name) {
            return None;
        }
        let quota = self.named.get(&name).and_then(|mailbox| mailbox.quota);
        Some((self.dir.join(name), quota))
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The mailbox of a local part: any case, and without what follows a `+` (RFC 5233).
fn name_of(local: &str) -> String {
    let base = match local.split_once('+') {
        Some((base, _)) if !base.is_empty() => base,
        _ => local,
    };
    base.to_lowercase()
}

/// Whether a name can be a directory below ours, and nothing else.
fn is_safe(name: &str) -> bool {
    const LONGEST: usize = 64;
    !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('.')
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'))
}

/// A size such as `500`, `20k`, `1M`, `2G`.
pub fn octets(text: &str) -> Option<u64> {
    let text = text.strip_suffix(['b', 'B']).unwrap_or(text);
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        b'g' | b'G' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(local: &str) -> Address {
        Address {
            local: local.into(),
            domain: Some("example.test".into()),
        }
    }

    #[test]
    fn without_named_ones_everybody_but_unknown_has_a_mailbox() {
        let all = Mailboxes::under(Path::new("/m"));
        assert_eq!(all.standing(&at("bob")), Standing::Known);
        assert_eq!(all.standing(&at("unknown-user")), Standing::Unknown);
        assert_eq!(all.standing(&at("../etc")), Standing::Unknown);
        assert_eq!(all.standing(&at("..")), Standing::Unknown);
        assert_eq!(all.maildir(&at("Bob+tag")).unwrap().0, Path::new("/m/bob"));
        assert_eq!(all.maildir(&at("a/b")), None);
    }

    #[test]
    fn a_mailbox_at_its_quota_is_full_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut boxes = Mailboxes::under(dir.path());
        boxes.add("bob:quota=10").unwrap();
        assert_eq!(boxes.standing(&at("bob")), Standing::Known);
        crate::mta::maildir::make(&dir.path().join("bob")).unwrap();
        std::fs::write(dir.path().join("bob/new/a"), "123456789").unwrap();
        assert_eq!(boxes.standing(&at("bob")), Standing::Known);
        std::fs::write(dir.path().join("bob/cur/b"), "1").unwrap();
        std::fs::remove_file(dir.path().join("bob/maildirsize")).unwrap();
        assert_eq!(boxes.standing(&at("bob")), Standing::Full);
    }

    #[test]
    fn named_ones_are_all_there_are_besides_postmaster() {
        let mut named = Mailboxes::under(Path::new("/m"));
        named.add("alice:quota=1M").unwrap();
        named.add("gone:disabled").unwrap();
        assert_eq!(named.standing(&at("ALICE")), Standing::Known);
        assert_eq!(named.maildir(&at("alice")).unwrap().1, Some(1 << 20));
        assert_eq!(named.standing(&at("bob")), Standing::Unknown);
        assert_eq!(named.standing(&at("gone")), Standing::Disabled);
        assert_eq!(named.standing(&at("POSTMASTER")), Standing::Known);
        for bad in ["", "a/b", "x:quota=lots", "x:size=1", ".hidden"] {
            assert!(named.add(bad).is_err(), "{bad}");
        }
    }
}
