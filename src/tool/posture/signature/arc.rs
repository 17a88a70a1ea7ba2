//! The ARC chain (RFC 8617 §5.2): each sealer signs the message as it saw it, and everything that
//! the sealers before it wrote.

use crate::dns::Lookup;
use crate::posture::Asker;

use super::canon::{Field, Mail, Manner, put_field};
use super::tags::Signed;
use super::{Fault, check, covered, head_holds, put_itself};

/// RFC 8617 §4.2.1: the limit of the instances.
const MOST_SETS: usize = 50;

/// What became of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many sets there are.
    pub sets: usize,
    /// Who sealed last.
    pub sealer: Option<String>,
    /// The first thing that is wrong, and the instance at which it is; nothing when all holds.
    pub fault: Option<(usize, Fault)>,
}

impl Chain {
    /// `pass`, `fail` or `temperror`.
    pub const fn result(&self) -> &'static str {
        match self.fault {
            None => "pass",
            Some((_, Fault::Dns(_))) => "temperror",
            Some(_) => "fail",
        }
    }
}

/// One set: results, message signature, seal.
#[derive(Clone, Copy)]
struct Set<'x> {
    results: Field<'x>,
    message: Field<'x>,
    seal: Field<'x>,
}

/// Verifies the chain of a message; `None` when there is none.
pub async fn verify<L: Lookup>(asker: Asker<'_, L>, mail: &Mail<'_>) -> Option<Chain> {
    let count = mail.all("ARC-Seal").take(MOST_SETS + 1).count();
    let others = mail.all("ARC-Message-Signature").count();
    if count == 0 && others == 0 {
        return None;
    }
    let mut chain = Chain {
        sets: count,
        sealer: None,
        fault: None,
    };
    let sets = match sets(mail, count) {
        Ok(sets) => sets,
        Err((at, fault)) => {
            chain.fault = Some((at, fault));
            return Some(chain);
        }
    };
    chain.sealer = sets.last().map(|s| Signed::read(&s.seal.text()).domain);
    chain.fault = walk(asker, mail, &sets).await.err();
    Some(chain)
}

/// The sets in order, each of them whole.
fn sets<'x>(mail: &Mail<'x>, count: usize) -> Result<Vec<Set<'x>>, (usize, Fault)> {
    if count > MOST_SETS {
        return Err((count, Fault::Malformed("there are more sets than allowed")));
    }
    let nth = |name: &str, n: usize| {
        let mut of = mail.all(name).filter(|f| instance(f) == Some(n));
        let first = of.next();
        // Two fields of one instance make the chain worthless.
        first.filter(|_| of.next().is_none())
    };
    (1..=count)
        .map(|n| {
            let parts = (
                nth("ARC-Authentication-Results", n),
                nth("ARC-Message-Signature", n),
                nth("ARC-Seal", n),
            );
            match parts {
                (Some(results), Some(message), Some(seal)) => Ok(Set {
                    results,
                    message,
                    seal,
                }),
                _ => Err((
                    n,
                    Fault::Malformed("a field of the set is missing or there twice"),
                )),
            }
        })
        .collect()
}

/// The `i=` of a field, wherever it stands among the tags.
fn instance(field: &Field<'_>) -> Option<usize> {
    let text = field.text();
    let tags = text.split(';').map(str::trim);
    tags.filter_map(|t| t.split_once('='))
        .find(|(name, _)| name.trim() == "i")
        .and_then(|(_, n)| n.trim().parse().ok())
}

async fn walk<L: Lookup>(
    asker: Asker<'_, L>,
    mail: &Mail<'_>,
    sets: &[Set<'_>],
) -> Result<(), (usize, Fault)> {
    for (n, set) in sets.iter().enumerate() {
        let cv = Signed::read(&set.seal.text()).cv;
        let wanted = if n == 0 { "none" } else { "pass" };
        if cv.as_deref() != Some(wanted) {
            let why = if cv.as_deref() == Some("fail") {
                "the sealer found the chain before it broken"
            } else {
                "the sealer states no fitting result for the chain before it (cv=)"
            };
            return Err((n + 1, Fault::Malformed(why)));
        }
    }
    let newest = sets.len();
    if let Some(set) = sets.last() {
        let signed = Signed::read(&set.message.text());
        let at = |fault| (newest, fault);
        signed.check_form().map_err(at)?;
        let data = covered(mail, &set.message, &signed);
        check(asker, mail, &signed, &data).await.map_err(at)?;
    }
    for n in (1..=newest).rev() {
        seal(asker, sets.get(..n).unwrap_or_default())
            .await
            .map_err(|fault| (n, fault))?;
    }
    Ok(())
}

/// The seal of the last of these sets covers all of them, relaxed (RFC 8617 §5.1.1).
async fn seal<L: Lookup>(asker: Asker<'_, L>, sets: &[Set<'_>]) -> Result<(), Fault> {
    let mut data = Vec::with_capacity(4096);
    for (n, set) in sets.iter().enumerate() {
        put_field(&set.results, Manner::Relaxed, &mut data);
        put_field(&set.message, Manner::Relaxed, &mut data);
        if n + 1 == sets.len() {
            put_itself(&set.seal, Manner::Relaxed, &mut data);
        } else {
            put_field(&set.seal, Manner::Relaxed, &mut data);
        }
    }
    let Some(last) = sets.last() else {
        return Ok(());
    };
    let signed = Signed::read(&last.seal.text());
    head_holds(asker, &signed, &data).await.map(|_| ())
}
