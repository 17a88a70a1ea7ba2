use super::*;

fn props(all: &[(u16, u16, &[u8])]) -> Props {
    Props {
        all: all.iter().map(|(i, k, b)| (*i, *k, b.to_vec())).collect(),
        code_page: 1_252,
    }
}

#[test]
fn eight_bit_strings_are_read_in_the_code_page_that_the_mail_names() {
    for (page, bytes, text) in [
        (932, &b"\x93\xfa"[..], "日"),
        (936, b"\xc8\xd5", "日"),
        (949, b"\xc7\xd1", "한"),
        (950, b"\xa4\xe9", "日"),
        (20_866, b"\xf0\xd2", "Пр"),
        (21_866, b"\xa4", "є"),
        (28_592, b"\xb1", "ą"),
        (28_605, b"\xa4", "€"),
        (50_220, b"\x1b$BF|\x1b(B", "日"),
        (51_932, b"\xc6\xfc", "日"),
        (51_949, b"\xc7\xd1", "한"),
        (54_936, b"\xc8\xd5", "日"),
        (65_001, "日".as_bytes(), "日"),
        (874, b"\xa1", "ก"),
        (1_251, b"\xcf\xf0", "Пр"),
        (0, "für".as_bytes(), "für"),
    ] {
        assert_eq!(in_code_page(bytes, page), text, "{page}");
    }
}

/// What the words about a recipient come to, behind the lines about recipient and action.
fn status(class: &str, words: &str) -> String {
    let wide: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let note = Note {
        props: props(&[(id::CLASS, kind::STRING, class.as_bytes())]),
        recipients: vec![props(&[
            (id::ADDRESS, kind::STRING, b"bob@x.test"),
            (id::SUPPLEMENTARY, kind::UNICODE, &wide),
        ])],
        attachments: Vec::new(),
    };
    note.status().unwrap_or_default()
}

#[test]
fn the_words_of_a_report_become_a_status_as_a_server_would_write_it() {
    assert_eq!(
        status(
            "REPORT.IPM.Note.NDR",
            "<mx.far.test #5.1.1 smtp; 550 5.1.1 no such user <bob@x.test>>"
        ),
        "Final-Recipient: rfc822; bob@x.test\nAction: failed\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user <bob@x.test>\n\
         Status: 5.1.1\nRemote-MTA: dns; mx.far.test\n\n"
    );
    assert_eq!(
        status(
            "REPORT.IPM.Note.Delayed.DR",
            "#< #4.4.7 smtp; 400 4.4.7\r\n delayed> #SMTP#"
        ),
        "Final-Recipient: rfc822; bob@x.test\nAction: delayed\n\
         Diagnostic-Code: smtp; 400 4.4.7 delayed\nStatus: 4.4.7\n\n"
    );
    assert_eq!(
        status("IPM.Note", "no room for <bob@x.test>"),
        "Final-Recipient: rfc822; bob@x.test\nAction: failed\n\
         Diagnostic-Code: smtp; no room for <bob@x.test>\n\n"
    );
    assert_eq!(status("IPM.Note", ""), "");
}

#[test]
fn the_class_of_a_report_tells_what_was_done() {
    for (class, done) in [
        ("REPORT.IPM.Note.Relayed.DR", "relayed"),
        ("REPORT.IPM.Note.Expanded.DR", "expanded"),
        ("REPORT.IPM.Note.DR", "delivered"),
        ("REPORT.IPM.Note.NDR", "failed"),
    ] {
        assert_eq!(action(class), done, "{class}");
    }
}

#[test]
fn a_note_without_a_header_of_its_own_gets_one_from_its_properties() {
    let html = "<p>Grüße</p>";
    let note = Note {
        props: props(&[
            (id::SENDER_NAME, kind::STRING, b"Ann"),
            (id::SENDER_SMTP, kind::STRING, b"ann@x.test"),
            (id::DISPLAY_TO, kind::STRING, b"Bob"),
            (id::INTERNET_PAGE, kind::LONG, &65_001u32.to_le_bytes()),
            (id::HTML, kind::BINARY, html.as_bytes()),
        ]),
        ..Note::default()
    };
    let layer = note.into_layer(Wrap::Tnef);
    assert_eq!(layer.head.get("From").unwrap(), "Ann <ann@x.test>");
    assert_eq!(layer.head.get("To").unwrap(), "Bob");
    assert!(layer.head.get("Subject").is_none());
    assert_eq!(layer.blocks[0].kind, BlockKind::Html);
    assert!(!layer.blocks[0].alternative);
    assert!(matches!(&layer.blocks[0].content, Content::Text(text) if text == html));
}

#[test]
fn a_text_attachment_is_text_and_an_empty_one_is_left_out() {
    let with = |mime: &[u8], data: &[u8]| {
        attachment(Attachment {
            props: props(&[
                (id::ATTACH_MIME, kind::STRING, mime),
                (id::DISPLAY_NAME, kind::STRING, b"notes"),
            ]),
            data: data.to_vec(),
            embedded: None,
        })
    };
    let text = with(b"Text/Plain", b"f\xfcr").unwrap();
    assert_eq!((text.kind, text.text()), (BlockKind::Plain, "für"));
    assert_eq!(text.file_name.as_deref(), Some("notes"));
    let other = with(b"application/zip", b"PK").unwrap();
    assert_eq!(other.kind, BlockKind::Attachment);
    assert!(matches!(&other.content, Content::Bytes(b) if b.as_ref() == b"PK"));
    assert!(with(b"application/zip", b"").is_none());
}

#[test]
fn an_attached_document_is_opened_by_what_it_is() {
    let rich = document(b" {\\rtf1\\ansi no such user\\par}", &[]).unwrap();
    assert_eq!(rich.mime, "text/plain");
    assert_eq!(rich.blocks[0].text().trim(), "no such user");
    assert_eq!(rich.wraps, [Wrap::Attached]);
    let html = document(b"<p>no such user</p>", &[]).unwrap();
    assert_eq!(html.mime, "text/html");
    assert_eq!(html.blocks[0].kind, BlockKind::Html);
    // An Outlook that had HTML packs it into RTF.
    let packed = b"{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag <b>}no such user{\\*\\htmltag </b>}}";
    let packed = document(packed, &[]).unwrap();
    assert_eq!(packed.mime, "text/html");
}
