//! The tests of compose.

use super::*;

pub(crate) fn draft() -> Draft {
    Draft {
        token: Token::of("mt-abcdefghijklmnopqrst"),
        host: "h.test".to_string(),
        from: "a@h.test".to_string(),
        to: vec!["b@x.test".to_string()],
        subject: "a test".to_string(),
        body: None,
        html: None,
        whole: None,
        eight_bit: false,
        fields: Vec::new(),
        attachments: Vec::new(),
        eicar: false,
        gtube: false,
        size: None,
        now: DateTime::from_timestamp(1_000_000_000, 0).unwrap(),
    }
}

fn text(draft: &Draft) -> String {
    String::from_utf8(draft.write().unwrap()).unwrap()
}

#[test]
fn the_token_stands_in_five_places_and_the_lines_are_right() {
    let message = text(&draft());
    assert_eq!(message.matches("mt-abcdefghijklmnopqrst").count(), 4);
    assert!(!message.replace("\r\n", "").contains(['\r', '\n']));
    assert!(message.contains("Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n"));
    assert!(message.contains("Auto-Submitted: auto-generated\r\n"));
    assert!(message.is_ascii());
}

#[test]
fn a_field_of_the_user_takes_the_place_of_ours_and_none_breaks_the_header() {
    let mut with = draft();
    with.fields = vec![
        ("from".to_string(), "Me <me@h.test>".to_string()),
        ("X-Mine".to_string(), "1".to_string()),
    ];
    let message = text(&with);
    assert!(message.contains("from: Me <me@h.test>\r\n"), "{message}");
    assert!(!message.contains("From: <a@h.test>"));
    for (name, value) in [("X", "a\r\nBcc: x"), ("X Y", "a"), ("", "a"), ("X:", "b")] {
        with.fields = vec![(name.to_string(), value.to_string())];
        assert!(matches!(with.write(), Err(BadDraft::Field(_))), "{name}");
    }
    let mut with = draft();
    with.to = vec!["x@y>\r\nBcc: z@y".to_string()];
    assert!(matches!(with.write(), Err(BadDraft::Address(_))));
}

#[test]
fn what_is_attached_comes_out_as_it_went_in() {
    let mut with = draft();
    with.body = Some("Grüße\n".as_bytes().to_vec());
    with.attachments = vec![Attachment {
        name: "a\"b\r\n.bin".to_string(),
        media: "application/x-test".to_string(),
        content: (0..=255).collect(),
    }];
    let message = with.write().unwrap();
    let parsed = mail_parser::MessageParser::default()
        .parse(&message)
        .unwrap();
    assert_eq!(parsed.body_text(0).unwrap(), "Grüße\r\n");
    let part = parsed.attachment(0).unwrap();
    assert_eq!(part.contents(), (0..=255).collect::<Vec<u8>>());
}

#[test]
fn a_web_page_stands_beside_the_text_and_both_beside_what_is_attached() {
    let mut with = draft();
    with.html = Some("<p>Grüße</p>\n".as_bytes().to_vec());
    for attachments in [0, 1] {
        with.attachments = vec![
            Attachment {
                name: "a.bin".to_string(),
                media: "application/x-test".to_string(),
                content: vec![1, 2, 3],
            };
            attachments
        ];
        let message = with.write().unwrap();
        let parsed = mail_parser::MessageParser::default()
            .parse(&message)
            .unwrap();
        assert!(
            parsed
                .body_text(0)
                .unwrap()
                .contains("a test message of mailtrace")
        );
        assert_eq!(parsed.body_html(0).unwrap().trim_end(), "<p>Grüße</p>");
        assert_eq!(parsed.attachment_count(), attachments);
    }
}

#[test]
fn text_may_stay_as_it_is_and_a_whole_message_gets_nothing_but_our_mark() {
    let mut with = draft();
    with.body = Some("Grüße\n".as_bytes().to_vec());
    with.eight_bit = true;
    let message = text(&with);
    assert!(
        message.contains("Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"),
        "{message}"
    );
    with.body = Some(vec![b'x'; 5000]);
    assert!(text(&with).contains("base64"));
    with.whole = Some(b"From: x@y.test\nMessage-ID: <1@y.test>\n\n.dot\r\nend".to_vec());
    assert_eq!(with.message_id(), "1@y.test");
    let message = text(&with);
    let (mark, rest) = message.split_once("\r\n").unwrap();
    assert!(mark.starts_with("X-Mailtrace-Test: mt-abcdefghijklmnopqrst"));
    assert_eq!(
        rest,
        "From: x@y.test\r\nMessage-ID: <1@y.test>\r\n\r\n.dot\r\nend\r\n"
    );
}

#[test]
fn a_size_is_met_to_the_octet() {
    for size in [2000, 2001, 2072, 10_000] {
        let mut with = draft();
        with.size = Some(size);
        assert_eq!(with.write().unwrap().len(), size);
    }
}

#[test]
fn the_test_strings_are_those_that_filters_know() {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let eicar = eicar();
    assert_eq!(eicar.len(), 68);
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &eicar);
    assert_eq!(
        data_encoding::HEXLOWER.encode(sum.as_ref()),
        "3395856ce81f2b7382dee72602f798b642f14140"
    );
    let gtube = String::from_utf8(gtube()).unwrap();
    assert_eq!(gtube.len(), 68);
    assert!(gtube.starts_with("XJS*C4JD") && gtube.ends_with("-UBE-TEST-EMAIL*C.34X"));
}
