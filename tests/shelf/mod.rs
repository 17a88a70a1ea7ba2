//! A store in memory, in place of the queue.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use mailtrace::mta::envelope::Envelope;
use mailtrace::mta::store::{Committing, Draft, Store, Trouble};

/// The messages that were taken.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) taken: Mutex<Vec<(Envelope, Vec<u8>)>>,
    pub(crate) trouble: Option<Trouble>,
    /// Octets that there is room for.
    pub(crate) room: Option<u64>,
}

struct Sheet {
    shelf: Arc<Shelf>,
    text: Vec<u8>,
}

pub(crate) struct Shelves(pub(crate) Arc<Shelf>);

impl Store for Shelves {
    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Sheet {
            shelf: self.0.clone(),
            text: Vec::new(),
        })
    }

    fn has_room(&self, octets: u64) -> bool {
        self.0.room.is_none_or(|room| octets <= room)
    }
}

impl Draft for Sheet {
    fn id(&self) -> String {
        "TESTID".to_string()
    }
    fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        self.text.extend_from_slice(octets);
        Ok(())
    }
    fn commit(self: Box<Self>, envelope: Envelope) -> Committing {
        let outcome = match &self.shelf.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => {
                self.shelf.taken.lock().unwrap().push((envelope, self.text));
                Ok(())
            }
        };
        Box::pin(async { outcome })
    }
}
