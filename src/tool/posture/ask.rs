//! The questions that mail asks the DNS, over whoever looks names up.

use std::net::IpAddr;
use std::time::Duration;

use crate::dns::{Answer, Data, Failure, Kind, Lookup, Name, Patience, Question};

/// Asks, with one limit per question.
#[derive(Debug)]
pub struct Asker<'l, L> {
    lookup: &'l L,
    wait: Duration,
}

impl<L> Clone for Asker<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Asker<'_, L> {}

impl<'l, L: Lookup> Asker<'l, L> {
    /// Waits this long for each answer.
    pub const fn new(lookup: &'l L, wait: Duration) -> Self {
        Self { lookup, wait }
    }

    /// The whole answer.
    pub async fn ask(&self, name: &Name, kind: Kind) -> Result<Answer, Failure> {
        let question = Question::new(name.clone(), kind);
        let patience = Patience::of(self.wait);
        self.lookup.lookup(question, patience).await.result
    }

    /// The texts of a name; none when there are none.
    pub async fn texts(&self, name: &Name) -> Result<Vec<String>, Failure> {
        match self.ask(name, Kind::Txt).await {
            Ok(answer) => Ok(answer.data.iter().filter_map(text).collect()),
            Err(failure) if failure.is_answer() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// The texts of a name below another, such as `_dmarc` below a domain.
    pub async fn texts_at(&self, label: &str, domain: &Name) -> Result<Vec<String>, Failure> {
        match Name::parse(label).and_then(|l| l.under(domain)) {
            Ok(name) => self.texts(&name).await,
            // A name too long to be asked cannot have a record.
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The addresses of a name in the family of `like`.
    pub async fn family(&self, name: &Name, like: IpAddr) -> Result<Vec<IpAddr>, Failure> {
        let kind = if like.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let answer = self.ask(name, kind).await?;
        Ok(answer.data.iter().filter_map(address).collect())
    }
}

/// The address of a record.
pub(super) fn address(data: &Data) -> Option<IpAddr> {
    match data {
        Data::A(ip) => Some(IpAddr::V4(*ip)),
        Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn text(data: &Data) -> Option<String> {
    match data {
        Data::Txt(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
        _ => None,
    }
}
