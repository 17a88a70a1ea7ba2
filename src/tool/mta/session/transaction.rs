//! One mail transaction: from MAIL to the end of the message.

use std::time::SystemTime;

use crate::mta::address::Address;
use crate::mta::envelope::{Client, Envelope, Recipient};

use super::params::MailParameters;

/// What MAIL and RCPT have built up.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) sender: Option<Address>,
    pub(super) parameters: MailParameters,
    pub(super) recipients: Vec<Recipient>,
    /// RCPT commands that were accepted, doubles included: LMTP answers each.
    pub(super) accepted: usize,
    /// Some RCPT was refused.
    pub(super) refused: bool,
    /// BDAT has begun, so that nothing but BDAT or RSET may follow (RFC 3030 section 2).
    pub(super) chunks: bool,
}

impl Transaction {
    pub(super) fn new(sender: Option<Address>, parameters: MailParameters) -> Self {
        Self {
            sender,
            parameters,
            recipients: Vec::new(),
            accepted: 0,
            refused: false,
            chunks: false,
        }
    }

    /// Adds a recipient; one that is there already counts once.
    pub(super) fn add(&mut self, recipient: Recipient) {
        self.accepted += 1;
        let known = self
            .recipients
            .iter()
            .any(|r| r.address == recipient.address);
        if !known {
            self.recipients.push(recipient);
        }
    }

    /// What goes with the message.
    pub(super) fn envelope(&self, client: Client, received: SystemTime) -> Envelope {
        Envelope {
            sender: self.sender.clone(),
            recipients: self.recipients.clone(),
            ret: self.parameters.ret,
            envid: self.parameters.envid.clone(),
            body: self.parameters.body.unwrap_or_default(),
            smtputf8: self.parameters.smtputf8,
            client,
            received,
        }
    }
}
