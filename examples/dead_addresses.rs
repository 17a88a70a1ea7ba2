//! Which addresses of a newsletter are dead? Reads bounces and prints the addresses that never
//! worked or work no more, so that they can be struck from the list.
//!
//! ```sh
//! cargo run --example dead_addresses testdata/realmta/*.eml
//! ```
//!
//! An address is dead when the failure is final and is about the address itself. A full mailbox,
//! a block list or a rejected content say nothing against it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use mailtrace::bounce::advice::{Audience, advise};
use mailtrace::bounce::cause::Class;
use mailtrace::bounce::explanation::Confidence;

fn main() -> io::Result<()> {
    let mut dead = BTreeMap::new();
    let mut read = 0usize;
    for path in std::env::args_os().skip(1) {
        let bytes = std::fs::read(&path)?;
        read += 1;
        for notice in mailtrace::explain(&bytes) {
            for recipient in &notice.recipients {
                let final_ = recipient.permanent == Some(true);
                let sure = recipient.confidence != Confidence::Low;
                if let Some(address) = &recipient.address
                    && final_
                    && sure
                    && recipient.class() == Class::UserUnknown
                {
                    let words = advise(recipient, Audience::User);
                    dead.insert(address.to_ascii_lowercase(), words.title);
                }
            }
        }
    }
    let mut out = io::stdout().lock();
    for (address, why) in &dead {
        writeln!(out, "{address}\t{why}")?;
    }
    writeln!(out, "{} dead addresses in {read} mails", dead.len())
}
