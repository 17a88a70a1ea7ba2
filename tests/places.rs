//! Evidence names the line of what the user gave, through every encoding and quotation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::fs;
use std::path::Path;

use mailtrace::message::inner::Descend;
use mailtrace::message::layer::{Layer, Wrap, open};

const WORDS: &str = "550 5.1.1 no such user";

/// For every layer in which the words stand: how it was reached, and their line.
fn lines(input: &[u8]) -> Vec<(Vec<Wrap>, Option<u32>)> {
    let mut all = Vec::new();
    open(input).walk(&mut |layer: &Layer<'_>| {
        for block in &layer.blocks {
            if let Some(at) = block.text().find(WORDS) {
                all.push((layer.wraps.clone(), block.line_at(at)));
            }
        }
        Descend::Into
    });
    all
}

/// The line, from 1, of the place in `input` that is marked with `@`, and the input without it.
fn marked(input: &str) -> (String, u32) {
    let at = input.find('§').expect("a mark");
    let line = input[..at].matches('\n').count() + 1;
    (input.replace('§', ""), u32::try_from(line).unwrap())
}

fn deepest(input: &str, wraps: &[Wrap]) {
    let (input, line) = marked(input);
    for input in [
        input.clone(),
        input.replace('\n', "\r\n"),
        format!("\n\n{input}"),
    ] {
        let line = if input.starts_with('\n') {
            line + 2
        } else {
            line
        };
        let found = lines(input.as_bytes());
        let Some((_, at)) = found.iter().find(|(w, _)| w == wraps) else {
            panic!("{wraps:?} is not among {found:?}");
        };
        assert_eq!(*at, Some(line), "{input}");
    }
}

#[test]
fn quoted_printable() {
    deepest(
        "From: a@b\nContent-Transfer-Encoding: quoted-printable\n\nHello =\nyou,\n\
         the server of example.com said =\n§550 5.1.1 no such =\nuser\n",
        &[],
    );
}

#[test]
fn quoted_twice_in_quoted_printable() {
    deepest(
        "From: a@b\nContent-Transfer-Encoding: quoted-printable\n\nLook:\n\n> > It f=\nailed:\n>=\n >\n\
         §> > 550 5.1.1 no such=\n user\n> bye\n",
        &[Wrap::Quoted, Wrap::Quoted],
    );
}

#[test]
fn base64_in_a_forward_in_base64() {
    // "Look:\n\n-----Original Message-----\nFrom: x\nSent: y\nSubject: z\n\nIt failed:\n550 5.1.1 no such user\n"
    deepest(
        "From: a@b\nContent-Transfer-Encoding: base64\n\nTG9vazoKCi0tLS0tT3JpZ2luYWwgTWVzc2Fn\n\
         ZS0tLS0tCkZyb206IHgKU2VudDogeQpTdWJq\nZWN0OiB6CgpJdCBmYWlsZWQ6\n§CjU1MCA1LjEuMSBubyBzdWNoIHVzZXIK\n",
        &[Wrap::Inline],
    );
}

#[test]
fn an_attached_message_in_base64_with_quoted_printable_inside() {
    // "From: x\nContent-Transfer-Encoding: quoted-printable\n\nIt\nfailed: =\n550 5.1.1 no such user\n"
    deepest(
        "From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhere\n--b\n\
         Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n\
         RnJvbTogeApDb250ZW50LVRyYW5zZmVyLUVuY29kaW5n\nOiBxdW90ZWQtcHJpbnRhYmxlCgpJdApm\n\
         YWlsZWQ6ID0K\n§NTUwIDUuMS4xIG5vIHN1Y2ggdXNlcgo=\n--b--\n",
        &[Wrap::Attached],
    );
}

#[test]
fn a_pasted_source_with_its_own_parts_indented() {
    deepest(
        "Ticket 1\n\n    Received: by x\n    From: a@b\n    To: c@d\n    Subject: e\n\
         \x20   Content-Type: multipart/mixed; boundary=b\n    \n    --b\n    \n    It failed:\n\
         §    550 5.1.1 no such user\n    --b--\n",
        &[Wrap::Pasted, Wrap::Pasted],
    );
}

#[test]
fn html_of_a_forward() {
    deepest(
        "From: a@b\nContent-Type: text/html\n\n<p>Look:</p>\n<p><b>From:</b> x<br>\n<b>Sent:</b> y<br>\n\
         <b>Subject:</b> z</p>\n<p>It failed:<br>\n§550 5.1.1&nbsp;no such user</p>\n",
        &[Wrap::Inline],
    );
}

#[test]
fn flowed_text_in_a_quotation() {
    deepest(
        "From: a@b\nContent-Type: text/plain; format=flowed\n\nLook \nhere:\n> It failed, because it said \n\
         §> 550 5.1.1 no such \n> user\n",
        &[Wrap::Quoted],
    );
}

#[test]
fn header_fields_of_inner_layers_know_their_line() {
    let input =
        b"From: a@b\n\nLook:\n\n---- Forwarded message ----\nFrom: x\nDate: y\nSubject: z\n\nno\n";
    let layer = open(input);
    let inner = layer.inner();
    let subject = inner[0].head.field("Subject").unwrap();
    assert_eq!(
        (subject.value().as_ref(), subject.line_at(0)),
        ("z", Some(8))
    );
}

#[test]
fn a_paste_without_a_separator_starts_where_the_reader_says() {
    let layer = open(b"From: a@b\n\nLook:\nIt failed:\n550 5.1.1 no such user\n");
    let pasted = layer.pasted(0, 6).unwrap();
    assert_eq!(pasted.wraps, [Wrap::Pasted]);
    let block = &pasted.blocks[0];
    assert_eq!(block.text(), "It failed:\n550 5.1.1 no such user\n");
    assert_eq!(block.line_at(block.text().find(WORDS).unwrap()), Some(5));
}

/// In every forward of the bundled mail that is not encoded, each line of text stands in the
/// input line that it names.
#[test]
fn every_line_of_every_layer_stands_where_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forwarded");
    let (mut checked, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        let source = String::from_utf8_lossy(&input).into_owned();
        if !path.to_string_lossy().ends_with(".eml") || source.contains("base64") {
            continue;
        }
        let rows: Vec<&str> = source.lines().collect();
        open(&input).walk(&mut |layer: &Layer<'_>| {
            for block in &layer.blocks {
                for line in block.lines() {
                    let word = line
                        .text
                        .split(|c: char| !c.is_ascii_alphanumeric())
                        .find(|w| w.len() > 4);
                    let Some(word) = word else { continue };
                    let offset = line.start + line.text.find(word).unwrap();
                    let Some(at) = block.line_at(offset) else {
                        continue;
                    };
                    checked += 1;
                    let here = rows
                        .get(at as usize - 1)
                        .is_some_and(|row| row.contains(word));
                    // A soft line end may stand within the word.
                    let split = rows.get(at as usize - 1).is_some_and(|row| {
                        row.trim_end().ends_with('=') && row.contains(&word[..1])
                    });
                    if !here && !split {
                        wrong.push(format!("{} {at}: {}", path.display(), line.text));
                    }
                }
            }
            Descend::Into
        });
    }
    assert!(checked > 2_500, "{checked}");
    assert!(
        wrong.is_empty(),
        "{} of {checked}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
