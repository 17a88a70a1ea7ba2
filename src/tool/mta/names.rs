//! Who answers questions about names: the DNS, or a table in its place.

use crate::dns::world::World;
use crate::dns::{Lookup, Patience, Question, Reply, Resolver};

/// Who answers questions about names.
pub enum Names {
    /// The DNS.
    Dns(Resolver),
    /// A table: nothing leaves the process.
    Table(World),
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dns(_) => "Dns",
            Self::Table(_) => "Table",
        })
    }
}

impl Lookup for Names {
    async fn lookup(&self, question: Question, patience: Patience) -> Reply {
        match self {
            Self::Dns(resolver) => resolver.lookup(question, patience).await,
            Self::Table(world) => world.lookup(question, patience).await,
        }
    }
}
