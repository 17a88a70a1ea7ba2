//! Reading files, folders, boxes and streams as the commands do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use mailtrace::message::layer::open;
use mailtrace::message::source::{self, Item, KEEP_ALL, MAX_KEPT};

const MAIL: &str = "From: a@example.com\nSubject: s\n\nbody\n";

fn all(input: impl Into<Vec<u8>>) -> Vec<Item> {
    source::read_from("x", Cursor::new(input.into())).collect()
}

fn texts(input: impl Into<Vec<u8>>) -> Vec<String> {
    let text = |item: Item| String::from_utf8(item.content.unwrap()).unwrap();
    all(input).into_iter().map(text).collect()
}

fn error(input: impl Into<Vec<u8>>) -> String {
    let mut items = all(input);
    assert_eq!(items.len(), 1);
    items.remove(0).content.unwrap_err().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn a_mail_alone_is_one_item_just_as_it_came() {
    for mail in [
        MAIL.to_owned(),
        MAIL.replace('\n', "\r\n"),
        MAIL.replace('\n', "\r"),
    ] {
        assert_eq!(texts(mail.clone()), [mail]);
    }
    let quoted = "From: a@b\n\n>From here\n\nFrom Monday on it is 10:30\n";
    assert_eq!(texts(quoted), [quoted]);
}

#[test]
fn a_box_is_split_at_its_from_lines_and_nowhere_else() {
    let text = format!(
        "From a@b Tue Jan 13 14:12:29 2004\n{MAIL}>From quoted\n>>From twice\n\n\
         From here on all is well\n\nFrom - Tue, 13 Jan 2004 14:12:29 -0700\n{MAIL}\n\
         From c@d.example 10:20:30\n{MAIL}"
    );
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        for input in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let all = texts(input);
            assert_eq!(all.len(), 3, "{all:?}");
            let first = all[0].replace('\r', "");
            assert_eq!(
                first,
                format!("{MAIL}From quoted\n>From twice\n\nFrom here on all is well\n")
            );
            assert_eq!(all[2].replace('\r', ""), MAIL);
        }
    }
}

#[test]
fn a_copy_that_a_notice_announces_is_not_the_next_mail() {
    let notice = "From a@example.org Tue Jan 13 14:12:29 2026\nSubject: returned\n\nIt was full.\n\n\
                  bounced E-Mail:\n\nFrom b@example.net Tue Jan 13 14:12:28 2026\nSubject: hello\n\nhi\n";
    assert_eq!(all(notice).len(), 1);
    assert_eq!(
        all(notice.replace("bounced E-Mail:", "See you, Ann")).len(),
        2
    );
}

#[test]
fn items_of_a_box_know_their_number_and_first_line() {
    let text = format!("From a@b Tue Jan 13 14:12:29 2004\n{MAIL}\n").repeat(3);
    let items = all(text);
    let where_: Vec<_> = items.iter().map(|i| (i.index, i.first_line)).collect();
    assert_eq!(where_, [(0, 2), (1, 8), (2, 14)]);
}

#[test]
fn what_is_no_mail_is_said_in_a_sentence() {
    assert_eq!(
        error(""),
        "the input is empty; give the whole message, headers included"
    );
    assert_eq!(
        error("\r\n \n"),
        "the input is empty; give the whole message, headers included"
    );
    for (bytes, what) in [
        (&b"%PDF-1.7\n%\xE2\xE3"[..], "a PDF document"),
        (
            b"PK\x03\x04\x14\0\0\0",
            "a zip archive or an office document",
        ),
        (b"\x7FELF\x02\x01\x01\0\0", "a program (ELF)"),
        (b"\x89PNG\r\n\x1A\n\0\0", "a PNG image"),
        (b"\x01\x02\x03\x04\x05\x06\x07", "binary data"),
    ] {
        let expected = format!(
            "this is not a mail message but {what}; save the mail as .eml or paste its source"
        );
        assert_eq!(error(bytes), expected);
        assert_eq!(error(gzip(bytes)), expected);
    }
    let cut = gzip(MAIL.as_bytes());
    assert!(error(&cut[..cut.len() - 12]).starts_with("it could not be read"));
    // Words that begin like an image.
    assert_eq!(texts("BMW: no such user\n").len(), 1);
}

#[test]
fn folders_are_read_sorted_with_maildirs_and_boxes_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("b.eml", MAIL);
    put("a/README.md", "# no mail\n");
    put("a/labels.jsonl", "{}\n");
    put("a/12", MAIL);
    put(
        "a/box",
        &format!("From a@b Tue Jan 13 14:12:29 2004\n{MAIL}\n").repeat(2),
    );
    put("m/cur/1.x:2,S", "no header here\n");
    put("m/new/2.x", MAIL);
    put("m/tmp/3.x", MAIL);
    put("m/dovecot.index", "From: x\nTo: y\n");
    put("m/.Sent/cur/4.x:2,RS", MAIL);
    fs::create_dir_all(dir.path().join("m/.Sent/new")).unwrap();
    put("empty/x.png", "\u{89}PNG");
    let items: Vec<_> = source::read(&[dir.path()]).collect();
    let short = |item: &Item| {
        let path = Path::new(&item.path).strip_prefix(dir.path()).unwrap();
        format!("{} {}", path.display(), item.index)
    };
    let names: Vec<_> = items.iter().map(short).collect();
    assert_eq!(
        names,
        [
            "a/12 0",
            "a/box 0",
            "a/box 1",
            "b.eml 0",
            "m/.Sent/cur/4.x:2,RS 0",
            "m/cur/1.x:2,S 0",
            "m/new/2.x 0",
        ]
    );
    let items: Vec<_> = source::read(&[
        dir.path().join("empty"),
        dir.path().join("none"),
        dir.path().join("b.eml"),
    ])
    .map(|item| item.content.map(|c| c.len()).map_err(|e| e.to_string()))
    .collect();
    assert!(
        items[0]
            .as_ref()
            .unwrap_err()
            .starts_with("no mail in this folder")
    );
    assert!(items[1].as_ref().unwrap_err().starts_with("no such file"));
    assert_eq!(items[2], Ok(MAIL.len()));
}

/// A mail of any length, made while it is read.
struct Endless {
    start: Cursor<Vec<u8>>,
    line: Vec<u8>,
    left: u64,
    end: Cursor<Vec<u8>>,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.start.read(out)?;
        if n > 0 || out.is_empty() {
            return Ok(n);
        }
        if self.left > 0 {
            self.left -= 1;
            self.start = Cursor::new(self.line.clone());
            return self.start.read(out);
        }
        self.end.read(out)
    }
}

#[test]
fn a_mail_of_200_mb_keeps_its_start_its_end_and_its_line_numbers() {
    let start = "From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nstart\n--b\n\
        Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n";
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\n";
    let lines = 200_000_000 / line.len() as u64;
    let input = Endless {
        start: Cursor::new(start.into()),
        line: line.into(),
        left: lines,
        end: Cursor::new("--b\n\nthe end\n--b--\n".into()),
    };
    let items: Vec<_> = source::read_from("big", input).collect();
    assert_eq!(items.len(), 1);
    let bytes = items[0].content.as_ref().unwrap();
    assert!(bytes.len() < KEEP_ALL + 1_000_000, "{}", bytes.len());
    let layer = open(bytes);
    assert_eq!(layer.blocks[0].text(), "start");
    let last = layer.blocks.last().unwrap();
    assert_eq!(last.text(), "the end");
    let line = items[0].gaps.original(last.line_at(0).unwrap());
    assert_eq!(u64::from(line), 10 + lines + 3);
}

#[test]
fn one_endless_line_is_bounded_too() {
    let input = Endless {
        start: Cursor::new(b"From: a@b\n\n".to_vec()),
        line: vec![b'x'; 1_000],
        left: 20_000,
        end: Cursor::new(b"\nlast\n".to_vec()),
    };
    let items: Vec<_> = source::read_from("big", input).collect();
    let bytes = items[0].content.as_ref().unwrap();
    assert!(bytes.len() <= MAX_KEPT);
    assert_eq!(items[0].gaps.original(3), 3);
}
