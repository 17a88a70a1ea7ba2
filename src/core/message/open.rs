//! Bytes to a layer: what stands before the header is skipped, texts without a header are told from
//! mail, odd files (UTF-16, old Macs) are brought into the usual shape.

use std::borrow::Cow;

use crate::message::decode;
use crate::message::head::{self, Head};
use crate::message::inner::container;
use crate::message::layer::{Block, Layer, Wrap};
use crate::message::lines;
use crate::message::media::Media;
use crate::message::mime;
use crate::message::place::Place;

/// Opens a mail, or a text without any header, whatever its line ends. Never fails: bytes that
/// are neither become a layer of one text block.
pub fn open(input: &[u8]) -> Layer<'_> {
    if let Some(layer) = container::open(input) {
        return layer;
    }
    if let Some(text) = wide_text(input) {
        let marks = Place::Direct {
            input: text.as_bytes(),
            start: 0,
        }
        .marks(text.as_bytes());
        return open_plain(text.as_bytes()).within(&marks).into_owned();
    }
    if lines::line_end(input) == b'\r' {
        // The file of an old Mac: the same bytes with LF, so all places stay.
        let marks = Place::Direct { input, start: 0 }.marks(input);
        let copy: Vec<u8> = input
            .iter()
            .map(|&b| if b == b'\r' { b'\n' } else { b })
            .collect();
        return open_plain(&copy).within(&marks).into_owned();
    }
    open_plain(input)
}

fn open_plain(input: &[u8]) -> Layer<'_> {
    let start = head::skip_lead(input);
    if !starts_header(input, start) {
        return pasted(input);
    }
    let (head, body) = Head::read(input, start);
    let mut media = Media::read(&head);
    let mime = media.mime_or("text/plain");
    let report_type = media.report_type.take().map(Cow::Owned);
    let blocks = mime::blocks(input, body, media);
    Layer {
        wraps: Vec::new(),
        head,
        blocks,
        mime,
        report_type,
    }
}

/// Text without a header of its own.
fn pasted(input: &[u8]) -> Layer<'_> {
    let start = if input.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let text = decode::charset(Cow::Borrowed(input.get(start..).unwrap_or_default()), None);
    let block = Block::plain(text, Place::Direct { input, start });
    Layer {
        wraps: vec![Wrap::Pasted],
        head: Head::default(),
        blocks: vec![block],
        mime: Cow::Borrowed("text/plain"),
        report_type: None,
    }
}

/// UTF-16 as some editors save it: told by its byte order mark or by the NULs.
fn wide_text(input: &[u8]) -> Option<String> {
    let little = match input {
        [0xFF, 0xFE, ..] => true,
        [0xFE, 0xFF, ..] => false,
        [a, 0, b, 0, c, 0, ..] if *a != 0 && *b != 0 && *c != 0 => true,
        [0, a, 0, b, 0, c, ..] if *a != 0 && *b != 0 && *c != 0 => false,
        _ => return None,
    };
    let charset = if little {
        encoding_rs::UTF_16LE
    } else {
        encoding_rs::UTF_16BE
    };
    Some(charset.decode(input).0.into_owned())
}

/// Names of fields that a header of a mail has at least one of.
const MAIL_FIELDS: [&str; 24] = [
    "received",
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "return-path",
    "mime-version",
    "content-type",
    "delivered-to",
    "reply-to",
    "sender",
    "cc",
    "envelope-to",
    "x-original-to",
    "authentication-results",
    "dkim-signature",
    "arc-seal",
    "x-received",
    "resent-from",
    "delivery-date",
    "in-reply-to",
    "references",
    "auto-submitted",
];

/// True when a mail header starts at `start`: a field line first, and among the lines up to the
/// blank one a field that mail has. So `Note: the following failed` is text.
pub(crate) fn starts_header(input: &[u8], start: usize) -> bool {
    // A forged start could hide the first known field far down; real headers have it early.
    const MAX_LINES: usize = 60;
    let mut at = start;
    for n in 0..MAX_LINES {
        let Some((line, next)) = lines::raw_line(input, at) else {
            return false;
        };
        match head::name_len(line) {
            Some(len) => {
                let name = line.get(..len).unwrap_or_default();
                if MAIL_FIELDS
                    .iter()
                    .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
                {
                    return true;
                }
            }
            None if n == 0 || line.is_empty() => return false,
            None => {}
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode::Transfer;
    use crate::message::layer::{BlockKind, Content};

    const REPORT: &str = "From: MAILER-DAEMON@example.net\n\
        Subject: Returned mail\n\
        Content-Type: multipart/report; report-type=Delivery-Status; boundary=b1\n\
        \n\
        preamble\n\
        --b1\n\
        \n\
        The mail was not delivered.\n\
        --b1\n\
        Content-Type: Message/Delivery-Status\n\
        \n\
        Reporting-MTA: dns; example.net\n\
        \n\
        Final-Recipient: rfc822; a@example.com\n\
        --b1\n\
        Content-Type: message/rfc822\n\
        \n\
        Subject: hello\n\
        Content-Type: multipart/mixed; boundary=b2\n\
        \n\
        --b2\n\
        Content-Type: text/plain\n\
        \n\
        cut off here\n\
        --b1\n\
        Content-Type: text/plain\n\
        Content-Transfer-Encoding: quoted-printable\n\
        \n\
        a =\n\
        long line\n\
        with f=C3=BCnf\n\
        --b1--\n\
        epilogue\n";

    fn kinds(layer: &Layer<'_>) -> Vec<BlockKind> {
        layer.blocks.iter().map(|b| b.kind).collect()
    }

    fn check_report(input: &[u8]) {
        let layer = open(input);
        assert_eq!(layer.mime, "multipart/report");
        assert_eq!(layer.report_type.as_deref(), Some("delivery-status"));
        assert_eq!(layer.head.get("subject").unwrap(), "Returned mail");
        use BlockKind::{DeliveryStatus, Message, Plain};
        assert_eq!(kinds(&layer), [Plain, DeliveryStatus, Message, Plain]);
        let [text, status, message, footer] = layer.blocks.as_slice() else {
            panic!()
        };
        assert_eq!(text.text(), "The mail was not delivered.");
        assert_eq!(text.line_at(4), Some(8));
        assert_eq!(
            status.line_at(status.text().find("rfc822").unwrap()),
            Some(14)
        );
        assert!(message.text().starts_with("Subject: hello"));
        assert!(message.text().ends_with("cut off here"));
        assert!(footer.text().contains("a long line"));
        assert_eq!(
            footer.line_at(footer.text().find("long").unwrap()),
            Some(30)
        );
        assert_eq!(
            footer.line_at(footer.text().find("fünf").unwrap()),
            Some(31)
        );
    }

    #[test]
    fn a_report_is_cut_into_its_blocks_whatever_ends_its_lines() {
        check_report(REPORT.as_bytes());
        check_report(REPORT.replace('\n', "\r\n").as_bytes());
        check_report(REPORT.replace('\n', "\r").as_bytes());
    }

    #[test]
    fn what_stands_before_the_header_is_skipped() {
        for lead in [
            "\u{FEFF}",
            "\n\n",
            "From x@y Mon Jan  1 10:00:00 2024\n",
            ">From x y\n\n",
        ] {
            let layer = open_plain_text(&format!("{lead}From: a@b\nSubject: s\n\nbody\n"));
            assert_eq!(layer, ("s".to_owned(), "body\n".to_owned()), "{lead:?}");
        }
    }

    #[test]
    fn what_was_cut_off_inside_says_nothing_about_the_parts_outside() {
        // In a digest a part without a type is a message; this one stands behind the digest.
        let text = "Content-Type: multipart/mixed; boundary=out\n\n\
            --out\nContent-Type: multipart/digest; boundary=in\n\n\
            --in\n\nSubject: one\n\nfirst\n\
            --out\n\nThe last word.\n--in\nof it\n--out--\n";
        let layer = open(text.as_bytes());
        assert_eq!(kinds(&layer), [BlockKind::Message, BlockKind::Plain]);
        let [_, last] = layer.blocks.as_slice() else {
            panic!()
        };
        assert_eq!(last.text(), "The last word.\n--in\nof it");
    }

    /// What lies deeper than any real mail is left in one piece: each open multipart is asked about
    /// at each delimiter.
    #[test]
    fn multiparts_are_opened_to_a_depth_and_what_lies_deeper_stays_whole() {
        let levels = |n: usize| -> String {
            let level = |i| {
                format!(
                    "Content-Type: multipart/mixed; boundary=b{i}.\n\n\
                     --b{i}.\n\nThe text of level {i}.\n--b{i}.\n"
                )
            };
            (0..n).map(level).collect()
        };
        let texts = |n: usize| open(levels(n).as_bytes()).blocks.len();
        assert_eq!(texts(20), 21);
        assert_eq!(texts(100), texts(1_000));
        let deep = levels(1_000);
        let layer = open(deep.as_bytes());
        let last = layer.blocks.last().unwrap();
        assert!(last.text().contains("The text of level 999."));
    }

    fn open_plain_text(input: &str) -> (String, String) {
        let layer = open(input.as_bytes());
        let subject = layer.head.get("subject").unwrap_or_default().into_owned();
        (subject, layer.blocks[0].text().to_owned())
    }

    #[test]
    fn text_without_a_header_is_one_pasted_block() {
        for text in [
            "<a@example.com>: unknown user\n",
            "Note: it failed\nbadly\n",
            "",
            "\n",
        ] {
            let layer = open(text.as_bytes());
            assert_eq!(layer.wraps, [Wrap::Pasted]);
            assert_eq!(layer.blocks[0].text(), text);
        }
    }

    #[test]
    fn a_header_alone_is_a_mail() {
        let layer = open(b"Received: from a by b; x\nFrom: a@b\nTo: c@d");
        assert_eq!(layer.head.fields.len(), 3);
        assert_eq!(layer.head.field("To").unwrap().line_at(0), Some(3));
    }

    #[test]
    fn parts_are_found_without_a_boundary_or_with_a_wrong_one() {
        for kind in [
            "multipart/report",
            "multipart/report; boundary=wrong",
            "text/plain",
        ] {
            let mail = format!(
                "From: a@b\nContent-Type: {kind}\n\n--x\nContent-Type: message/delivery-status\n\n\
                 Action: failed\n--x--\n"
            );
            let layer = open(mail.as_bytes());
            assert_eq!(kinds(&layer), [BlockKind::DeliveryStatus], "{kind}");
            assert_eq!(layer.blocks[0].text(), "Action: failed");
        }
    }

    #[test]
    fn text_that_needs_no_decoding_is_not_copied() {
        let mail = b"From: a@b\nContent-Type: text/plain; charset=utf-8\n\nplain\n";
        assert!(matches!(
            open(mail).blocks[0].content,
            Content::Text(Cow::Borrowed(_))
        ));
    }

    #[test]
    fn base64_lines_point_at_the_lines_of_the_input() {
        // "one\ntwo\nthree" in two lines of base64.
        let mail = b"From: a@b\nContent-Transfer-Encoding: base64\n\nb25lCnR3\nbwp0aHJlZQ==\n";
        let layer = open(mail);
        let text = layer.blocks[0].text();
        assert_eq!(text, "one\ntwo\nthree");
        assert_eq!(layer.blocks[0].line_at(text.find("one").unwrap()), Some(4));
        assert_eq!(
            layer.blocks[0].line_at(text.find("three").unwrap()),
            Some(5)
        );
    }

    #[test]
    fn utf_16_is_read_in_either_order_with_and_without_its_mark() {
        let text = "From: a@b\nSubject: fünf\n\nbody\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        let order = |to: fn(u16) -> [u8; 2]| units.iter().copied().flat_map(to).collect::<Vec<_>>();
        let (little, big) = (order(u16::to_le_bytes), order(u16::to_be_bytes));
        for file in [
            [&b"\xFF\xFE"[..], &little].concat(),
            [&b"\xFE\xFF"[..], &big].concat(),
            little,
            big,
        ] {
            let layer = open(&file);
            assert_eq!(layer.head.get("subject").unwrap(), "fünf");
            assert_eq!(layer.blocks[0].text(), "body\n");
        }
    }

    #[test]
    fn utf_16_in_base64_keeps_its_lines() {
        // UTF-16LE of "a\nbcdefgh\nz", four base64 characters in each line.
        let wide: Vec<u8> = "a\nbcdefgh\nz"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut mail = b"From: a@b\nContent-Type: text/plain; charset=utf-16le\n\
            Content-Transfer-Encoding: base64\n\n"
            .to_vec();
        for piece in [
            "YQAK", "AGIA", "YwBk", "AGUA", "ZgBn", "AGgA", "CgB6", "AA==",
        ] {
            mail.extend_from_slice(piece.as_bytes());
            mail.push(b'\n');
        }
        let layer = open(&mail);
        assert_eq!(
            decode::transfer(b"YQAKAGIAYwBkAGUAZgBnAGgACgB6AA==", Transfer::Base64),
            wide
        );
        assert_eq!(layer.blocks[0].text(), "a\nbcdefgh\nz");
        assert_eq!(layer.blocks[0].line_at(2), Some(6));
        assert_eq!(layer.blocks[0].line_at(10), Some(11));
    }

    #[test]
    fn a_whole_file_in_utf_16_is_read() {
        let wide = "\u{FEFF}From: a@b\r\n\r\nbody\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes);
        let input: Vec<u8> = wide.collect();
        let layer = open(&input);
        assert_eq!(layer.blocks[0].text(), "body\r\n");
        assert_eq!(layer.blocks[0].line_at(0), Some(3));
    }

    #[test]
    fn a_digest_gives_its_messages() {
        let mail =
            b"From: a@b\nContent-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: 1\n\nx\n\
            --d\nReceived: by y\nSubject: 2\n\ny\n--d--\n";
        let layer = open(mail);
        assert_eq!(kinds(&layer), [BlockKind::Message, BlockKind::Message]);
        assert!(layer.blocks[1].text().starts_with("Received: by y"));
    }
}
