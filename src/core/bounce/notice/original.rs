//! The returned message: what its header says, from a part of its own or from the text behind the
//! notice.

use crate::bounce::explanation::Original;
use crate::message::layer::{BlockKind, Head, Layer};
use crate::message::{addresses, dates};

/// The recipients of the original that are kept.
const MAX_TO: usize = 50;

/// The header of the returned message, when it has a part of its own.
pub(super) fn head<'x>(layer: &'x Layer<'_>) -> Option<Head<'x>> {
    layer
        .blocks
        .iter()
        .filter(|b| matches!(b.kind, BlockKind::Message | BlockKind::MessageHead))
        .map(|b| Head::parse(b.bytes()))
        .find(|head| !head.fields.is_empty())
}

/// The header that stands in a text from `start` on, behind the separator.
pub(super) fn head_in(text: &str, start: usize) -> Option<Head<'_>> {
    /// How many lines of the separator and of comments are stepped over.
    const MAX_LEAD: usize = 12;
    for line in super::page::lines(text, start, text.len()).take(MAX_LEAD) {
        let name = super::cut::before_colon(line.body);
        let known = [
            "received",
            "return-path",
            "from",
            "to",
            "subject",
            "date",
            "message-id",
            "dkim-signature",
            "delivered-to",
            "mime-version",
            "x-received",
            "x-google-smtp-source",
            "arc-seal",
            "x-ymail-osg",
            "content-type",
            "sender",
            "reply-to",
            "cc",
        ];
        if name.len() < line.body.len() && known.iter().any(|k| k.eq_ignore_ascii_case(name)) {
            let head = Head::copied(text.get(line.at..)?.as_bytes());
            return (!head.fields.is_empty()).then_some(head);
        }
    }
    None
}

/// The header of a mail itself, told in the words for a returned one: for inputs that are no
/// notice.
pub fn of_mail(layer: &Layer<'_>) -> Original {
    read(&layer.head)
}

/// True when there is enough of a header to call it one.
pub(super) fn is_one(original: &Original) -> bool {
    let named = original.message_id.is_some() || original.subject.is_some();
    named || !original.to.is_empty() || original.hops > 0
}

/// What the header says.
pub(super) fn read(head: &Head<'_>) -> Original {
    let some = |name: &str| {
        head.get(name)
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
    };
    let address = |name: &str| {
        let value = head.get(name)?;
        addresses::clean(&value).map(str::to_owned)
    };
    let mut to: Vec<String> = Vec::new();
    for field in head.all("To") {
        // `"a@b" <a@b>` is one recipient.
        for found in addresses::each(&field.value()) {
            let known = to.iter().any(|t| t.eq_ignore_ascii_case(found.address));
            if !known && to.len() < MAX_TO {
                to.push(found.address.to_owned());
            }
        }
    }
    Original {
        message_id: some("Message-ID"),
        from: address("From").or_else(|| some("From")),
        to,
        subject: some("Subject"),
        date: head.get("Date").and_then(|d| dates::read(&d)),
        hops: u32::try_from(head.all("Received").count()).unwrap_or(u32::MAX),
    }
}
