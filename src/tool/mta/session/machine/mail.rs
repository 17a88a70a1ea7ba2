//! A transaction, from MAIL to the reply to its end.

use std::time::Instant;

use crate::mta::address::Address;
use crate::mta::envelope::Recipient;
use crate::mta::fault::Stage;
use crate::mta::journal::count;
use crate::mta::policy;
use crate::mta::session::command::Hello;
use crate::mta::session::params::{MailParameters, RcptParameters};
use crate::mta::session::reply::Reply;
use crate::mta::session::transaction::Transaction;
use crate::mta::settings::Role;
use crate::mta::store::Trouble;

use super::faults::Fate;
use super::{HELLO_FIRST, NOT_NOW, Session, Step};

const SENDER_OK: Reply = Reply::new(250, 1, 0, "Ok");
const RECIPIENT_OK: Reply = Reply::new(250, 1, 5, "Ok");
/// RFC 7505 section 4.2: nobody could be told what becomes of it.
const MUTE: Reply = Reply::new(
    550,
    7,
    27,
    "The domain of the sender takes no mail (null MX), so it sends none",
);
const MAIL_FIRST: Reply = Reply::new(503, 5, 1, "MAIL comes first");
const NO_RECIPIENTS: Reply = Reply::new(554, 5, 1, "No valid recipients");
const TOO_LARGE: Reply = Reply::new(552, 3, 4, "The message is too large for this server");
const TOO_MANY: Reply = Reply::new(452, 5, 3, "Too many recipients, send the rest afterwards");
/// A chunk this much larger than a message may be is not read to its end.
const ABSURD: u64 = 64;

impl Session {
    pub(super) fn mail(
        &mut self,
        sender: Option<Address>,
        parameters: MailParameters,
        out: &mut Vec<u8>,
    ) -> Step {
        let from = out.len();
        let mute = std::mem::take(&mut self.mute_sender);
        if let Err(reply) = self.may_mail(&parameters) {
            return self.say(&reply, out);
        }
        if mute && !self.is_trusted() {
            return self.say(&MUTE, out);
        }
        let spoken = sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let fate = self.fault(Stage::Mail, &[&spoken], out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        self.transaction = Some(Box::new(Transaction::new(sender, parameters)));
        SENDER_OK.write(out);
        self.adorn(fate, out, from);
        Step::Command
    }

    pub(super) fn may_mail(&self, parameters: &MailParameters) -> Result<(), Reply> {
        let settings = &self.site.settings;
        let Some((hello, _)) = &self.hello else {
            return Err(HELLO_FIRST);
        };
        if self.transaction.is_some() {
            return Err(Reply::new(503, 5, 1, "A transaction is open already"));
        }
        if settings.require_tls && self.tls.is_none() && !self.door.lmtp {
            return Err(Reply::new(530, 7, 0, "Must issue a STARTTLS command first"));
        }
        let wants_login = settings.require_auth || self.door.role == Role::Msa;
        if wants_login && !self.is_trusted() && !self.door.lmtp {
            return Err(Reply::new(530, 7, 0, "Authentication required"));
        }
        const UNKNOWN: Reply = Reply::new(555, 5, 4, "Unsupported parameter");
        let utf8 = parameters.smtputf8;
        if *hello == Hello::Helo && !parameters.is_empty() {
            return Err(Reply::new(555, 5, 4, "Parameters need EHLO"));
        }
        let unoffered = (utf8 && self.hides("SMTPUTF8"))
            || (parameters.body.is_some() && self.hides("8BITMIME"))
            || (parameters.size.is_some() && self.hides("SIZE"))
            || ((parameters.ret.is_some() || parameters.envid.is_some()) && self.hides("DSN"))
            || (parameters.auth && self.site.book.is_none());
        if unoffered {
            return Err(UNKNOWN);
        }
        if !utf8 && parameters.wide {
            return Err(Reply::new(
                553,
                6,
                7,
                "An address outside ASCII needs SMTPUTF8",
            ));
        }
        if parameters.size.is_some_and(|s| s > settings.limits.message) {
            return Err(TOO_LARGE);
        }
        // RFC 1870 section 6.1: it may be told now what would be told behind the text.
        if self
            .site
            .store
            .has_room(parameters.size.unwrap_or_default())
        {
            Ok(())
        } else {
            Err(Trouble::Full.reply())
        }
    }

    pub(super) fn rcpt(
        &mut self,
        address: Address,
        parameters: RcptParameters,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Step {
        let from = out.len();
        let spoken = address.to_string();
        if let Err(reply) = self.may_rcpt(&parameters) {
            return self.say(&reply, out);
        }
        let fate = self.fault(Stage::Rcpt, &[&spoken], out);
        if let Some(Fate::Struck(step)) = fate {
            if let Some(open) = &mut self.transaction {
                open.refused = true;
            }
            return step;
        }
        let judged = self.judge(address, now);
        let Some(open) = &mut self.transaction else {
            return self.say(&MAIL_FIRST, out);
        };
        match judged {
            Ok(address) => {
                open.add(Recipient {
                    address,
                    notify: parameters.notify,
                    orcpt: parameters.orcpt,
                });
                RECIPIENT_OK.write(out);
                self.adorn(fate, out, from);
            }
            Err(reply) => {
                open.refused = true;
                self.note_refusal("rcpt", &spoken, &reply);
                reply.write(out);
            }
        }
        Step::Command
    }

    pub(super) fn may_rcpt(&self, parameters: &RcptParameters) -> Result<(), Reply> {
        let Some(open) = &self.transaction else {
            return Err(MAIL_FIRST);
        };
        if open.chunks {
            return Err(NOT_NOW);
        }
        let plain = matches!(self.hello, Some((Hello::Helo, _))) || self.hides("DSN");
        if plain && !parameters.is_empty() {
            return Err(Reply::new(555, 5, 4, "Unsupported parameter"));
        }
        if parameters.wide && !open.parameters.smtputf8 {
            return Err(Reply::new(
                553,
                6,
                7,
                "An address outside ASCII needs SMTPUTF8",
            ));
        }
        if open.recipients.len() >= self.site.settings.limits.recipients {
            return Err(TOO_MANY);
        }
        Ok(())
    }

    pub(super) fn judge(&self, address: Address, now: Instant) -> Result<Address, Reply> {
        let site = &self.site;
        let sender = self.transaction.as_ref().and_then(|t| t.sender.as_ref());
        let asking = policy::Asking {
            client: self.peer,
            own: self.own,
            logged_in: self.user.is_some(),
            sender,
            listed: self.listed.as_ref(),
            now,
        };
        let standing = |address: &Address| (site.directory)(address);
        policy::recipient(
            &site.settings,
            site.greylist.as_ref(),
            standing,
            address,
            &asking,
        )
    }

    pub(super) fn data(&mut self, out: &mut Vec<u8>) -> Step {
        let from = out.len();
        if let Err(reply) = self.may_data() {
            return self.say(&reply, out);
        }
        let fate = self.fault_of_message(Stage::Data, out);
        if let Some(Fate::Struck(step)) = fate {
            return step;
        }
        Reply::plain(354, "End data with <CR><LF>.<CR><LF>").write(out);
        self.adorn(fate, out, from);
        Step::Text
    }

    pub(super) fn may_data(&self) -> Result<(), Reply> {
        match &self.transaction {
            None => Err(MAIL_FIRST),
            Some(open) if open.chunks => Err(Reply::new(
                503,
                5,
                1,
                "BDAT has begun; DATA cannot follow it",
            )),
            Some(open) if !open.recipients.is_empty() => Ok(()),
            // RFC 2033 section 4.2 asks LMTP for 503.
            Some(open) if open.refused && !self.door.lmtp => Err(NO_RECIPIENTS),
            Some(_) => Err(Reply::new(503, 5, 1, "RCPT comes first")),
        }
    }

    pub(super) fn bdat(&mut self, octets: u64, last: Result<bool, Reply>) -> Step {
        let limit = self.site.settings.limits.message;
        let judged = last.and_then(|last| {
            let Some(open) = &mut self.transaction else {
                return Err(MAIL_FIRST);
            };
            if open.recipients.is_empty() {
                return Err(match open.refused && !self.door.lmtp {
                    true => NO_RECIPIENTS,
                    false => Reply::new(503, 5, 1, "RCPT comes first"),
                });
            }
            open.chunks = true;
            Ok(last)
        });
        let absurd = limit.saturating_mul(ABSURD).max(1 << 32);
        if octets > absurd {
            // Nobody waits for the end of this.
            return Step::Chunk(
                0,
                Err(Reply::new(
                    421,
                    3,
                    4,
                    "The chunk is absurdly large; goodbye",
                )),
            );
        }
        Step::Chunk(octets, judged)
    }

    /// What the list of recipients and the sender make of a message that has come to its end:
    /// `Err` is a fault that answers in place of the work.
    pub fn at_dot(&mut self, out: &mut Vec<u8>) -> Result<Option<Reply>, Step> {
        let from = out.len();
        match self.fault_of_message(Stage::Dot, out) {
            Some(Fate::Struck(step)) => {
                let open = self.transaction.take();
                // In LMTP every recipient has a reply.
                if let (true, Some(open)) = (self.door.lmtp, open) {
                    let reply = out.get(from..).unwrap_or_default().to_vec();
                    (1..open.accepted).for_each(|_| out.extend_from_slice(&reply));
                }
                Err(step)
            }
            Some(Fate::Worded(reply)) => Ok(Some(reply)),
            None => Ok(None),
        }
    }

    /// The message has come to its end: says so to the client, once or, in LMTP, for every
    /// recipient (RFC 2033 section 4.2).
    pub fn settle(&mut self, outcome: &Reply, out: &mut Vec<u8>) {
        let open = self.transaction.take();
        let times = match (self.door.lmtp, &open) {
            (true, Some(open)) => open.accepted,
            _ => 1,
        };
        for _ in 0..times {
            outcome.write(out);
        }
        if outcome.is_positive() {
            self.junk = 0;
            // Who brings mail is no vandal, however often he slips.
            self.errors = 0;
            self.messages += 1;
        } else {
            count(&self.site.journal.counts.refused, 1);
            if outcome.code >= 500 {
                self.errors += 1;
            }
        }
    }

    /// A chunk that was not the last one is there.
    pub fn chunk(&mut self, octets: u64, out: &mut Vec<u8>) {
        Reply::said(250, 0, 0, format!("{octets} octets received")).write(out);
    }

    /// A chunk was thrown away. `lost`: the message it belonged to is lost with it.
    pub fn no_chunk(&mut self, reply: &Reply, lost: bool, out: &mut Vec<u8>) -> Step {
        if lost {
            self.transaction = None;
        }
        let from = out.len();
        let leave = reply.code == 421;
        let step = self.say(reply, out);
        self.watch(if leave { Step::Leave } else { step }, from, out)
    }
}
