use super::*;

fn made(message: &str) -> String {
    let made = seven_bit(message.as_bytes()).unwrap();
    assert!(made.is_ascii());
    for line in made.split(|b| *b == b'\n') {
        assert!(line.len() <= 78, "{}", String::from_utf8_lossy(line));
    }
    String::from_utf8(made).unwrap()
}

fn unfit(message: &str) -> Unfit {
    seven_bit(message.as_bytes()).unwrap_err()
}

#[test]
fn a_text_is_quoted_and_says_so() {
    let message = "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                   Content-Transfer-Encoding: 8bit\r\n\r\n\
                   Gr\u{fc}\u{df}e = gut \r\n.\r\nFrom here\r\nand a tab\t\r\n";
    assert_eq!(
        made(message),
        "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n\
         Gr=C3=BC=C3=9Fe =3D gut=20\r\n=2E\r\n=46rom here\r\nand a tab=09\r\n"
    );
}

#[test]
fn a_message_without_mime_gets_what_is_missing() {
    let text = made("Subject: s\r\n\r\nein recht langer Satz mit einem \u{fc} darin\r\n");
    assert!(
        text.starts_with(
            "Subject: s\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nein recht"
        ),
        "{text}"
    );
    let made = seven_bit(b"A: b\r\n\r\nein recht langer Satz mit einem \xfc darin\r\n").unwrap();
    let made = String::from_utf8(made).unwrap();
    assert!(made.contains("charset=unknown-8bit\r\n\r\nein") && made.contains("=FC"));
}

#[test]
fn what_is_dense_becomes_base64() {
    let text = made("Content-Type: text/plain; charset=utf-8\r\n\r\n\u{43f}\u{440}\u{438}\r\n");
    assert!(text.contains("Content-Transfer-Encoding: base64\r\n"));
    assert!(text.ends_with("\r\n\r\n0L/RgNC4DQo=\r\n"), "{text}");
}

const LETTER: &str = "Subject: s\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\
     Content-Type: multipart/mixed;\r\n\tboundary=\"b(1\"\r\n\r\nvor \u{fc}\r\n--b(1\r\n\r\n\
     plain\r\n--b(1 \r\nContent-Type: TEXT/html; charset=utf-8\r\n\
     Content-Transfer-Encoding: 8BIT\r\n\r\n<p>ein l\u{e4}ngerer Text, der Platz hat</p>\r\n--b(1\r\n\
     Content-Type: message/rfc822\r\n\r\nSubject: inner \u{e4}\r\n\r\n\
     ein l\u{e4}ngerer Text, der Platz hat\r\n\r\n--b(1--\r\nnach \u{fc}\r\n";

#[test]
fn parts_are_recoded_one_by_one_and_the_boundaries_stay() {
    let text = made(LETTER);
    for line in [
        "Content-Transfer-Encoding: 7bit\r\nContent-Type: multipart/mixed",
        "\r\n\r\nvor ??\r\n--b(1\r\n\r\nplain\r\n--b(1 \r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>ein l=C3=A4ngerer",
        "</p>\r\n--b(1\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner =?utf-8?Q?=C3=A4?=\r\n\
         Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n",
        "hat\r\n\r\n--b(1--\r\nnach ??\r\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_reader_sees_the_same_as_before() {
    let whole = LETTER
        .replace("vor \u{fc}", "vor ??")
        .replace("nach \u{fc}", "nach ??");
    let (before, after) = (whole, made(LETTER));
    let read = |message: &str| -> Vec<String> {
        let whole = mail_parser::MessageParser::default().parse(message.as_bytes());
        let whole = whole.unwrap();
        let inner = whole.attachment(0).unwrap().message().unwrap();
        let texts = [whole.body_text(0), whole.body_html(1), inner.body_text(0)];
        let mut texts: Vec<String> = texts.into_iter().flatten().map(Into::into).collect();
        texts.push(inner.subject().unwrap().to_string());
        texts
    };
    assert_eq!(read(&before), read(&after));
    assert_eq!(read(&after).len(), 4);
    assert!(
        read(&after)
            .iter()
            .skip(1)
            .all(|text| text.contains('\u{e4}'))
    );
}

#[test]
fn what_is_signed_or_cannot_be_encoded_stays_and_is_unfit() {
    let part = |kind: &str| {
        format!("Content-Type: {kind}; boundary=b\r\n\r\n--b\r\n\r\n\u{fc}\r\n--b--\r\n")
    };
    assert_eq!(unfit(&part("multipart/signed")), Unfit::Signed);
    assert_eq!(unfit(&part("Multipart/Encrypted")), Unfit::Signed);
    assert_eq!(
        unfit(&part("multipart/mixed; x=y").replace("--b", "--c")),
        Unfit::Boundary
    );
    assert_eq!(
        unfit("Content-Type: multipart/mixed\r\n\r\n\u{fc}\r\n"),
        Unfit::Boundary
    );
    assert_eq!(
        unfit("Content-Type: message/partial\r\n\r\n\u{fc}\r\n"),
        Unfit::Kind
    );
    assert_eq!(
        unfit("Content-Transfer-Encoding: base64\r\n\r\n\u{fc}\r\n"),
        Unfit::Transfer
    );
    assert_eq!(
        unfit("Content-Transfer-Encoding: x-uue\r\n\r\n\u{fc}\r\n"),
        Unfit::Transfer
    );
    assert_eq!(unfit("Received: from \u{fc}\r\n\r\nx\r\n"), Unfit::Header);
    assert_eq!(unfit("To: \u{fc}@d.test\r\n\r\nx\r\n"), Unfit::Header);
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(100);
    assert_eq!(unfit(&format!("{deep}\u{fc}\r\n")), Unfit::Deep);
}

#[test]
fn names_and_subjects_become_encoded_words() {
    let text = made(
        "Subject: Re: sch\u{f6}ne Gr\u{fc}\u{df}e to all of you who read this and that and more, \
         and then some more\r\n\
         To: \"M\u{fc}ller, J\u{fc}rgen\" <j@d.test>,\r\n \"a, b\" <c@d.test>, M\u{e9} <m@d.test>\r\n\r\nx\r\n",
    );
    assert!(text.starts_with(
        "Subject: Re: =?utf-8?Q?sch=C3=B6ne_Gr=C3=BC=C3=9Fe?= to all of you who read\r\n this"
    ));
    assert!(
        text.contains("<j@d.test>, \"a, b\" <c@d.test>,\r\n =?utf-8?Q?M=C3=A9?= <m@d.test>\r\n"),
        "{text}"
    );
    assert!(
        text.contains("To: =?utf-8?Q?M=C3=BCller=2C_J=C3=BCrgen?= <j@d.test>,"),
        "{text}"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_comes_back_from_quoted_printable(
        body in "([-=.F \t\u{e4}a]{0,90}\r\n){0,6}[-=. \u{e4}]{0,4}",
    ) {
        let mut coded = Vec::new();
        body::quoted_printable(body.as_bytes(), &mut coded);
        for line in coded.split(|b| *b == b'\n') {
            proptest::prop_assert!(line.len() <= 77);
            proptest::prop_assert!(!line.ends_with(b" \r") && !line.ends_with(b"\t\r"));
        }
        let back = mail_parser::decoders::quoted_printable::quoted_printable_decode(&coded);
        proptest::prop_assert_eq!(back.unwrap_or_default(), body.as_bytes());
    }

    #[test]
    fn no_message_makes_it_panic_and_what_comes_out_has_seven_bits(
        message in "(Content-Type: (multipart/mixed; boundary=b|message/rfc822|text/plain|;/=\"\\(\\\\)\r\n|\
                    Subject: \u{e4}\r\n|To: \"\u{e4}<\r\n|\r\n|--b\r\n|--b--\r\n|\u{e4}|x|\r\n\r\n){0,20}",
    ) {
        if let Ok(made) = seven_bit(message.as_bytes()) {
            proptest::prop_assert!(made.is_ascii());
        }
    }
}

#[test]
fn fields_of_machines_keep_what_they_say_and_their_comments_are_encoded() {
    for (field, wanted) in [
        // Windows writes the zone in the words of the user.
        (
            "Date: Mon, 2 Mar 2026 10:15:30 +0100 (Mitteleurop\u{e4}ische (M) Zeit)",
            "Date: Mon, 2 Mar 2026 10:15:30 +0100 (=?utf-8?Q?Mitteleurop=C3=A4ische?=\r\n =?utf-8?Q?_=28M=29_Zeit?=)",
        ),
        (
            "Received: from a.test (HELO f\u{fc}r)\r\n\tby b.test; Mon, 2 Mar 2026 10:15:30 +0100",
            "Received: from a.test (=?utf-8?Q?HELO_f=C3=BCr?=) by b.test; Mon, 2 Mar 2026\r\n 10:15:30 +0100",
        ),
        (
            "To: j@d.test (J\u{fc}rgen), b@d.test",
            "To: j@d.test (=?utf-8?Q?J=C3=BCrgen?=), b@d.test",
        ),
        (
            "Cc: Gr\u{f6}\u{df}e: \"a: b\" <a@d.test>, c@d.test;",
            "Cc: =?utf-8?Q?Gr=C3=B6=C3=9Fe?=: \"a: b\" <a@d.test>, c@d.test;",
        ),
        (
            "From: \u{c9}va (\u{e9}) <e@[IPv6:::1]> (\u{fc})",
            "From: =?utf-8?Q?=C3=89va?= (=?utf-8?Q?=C3=A9?=) <e@[IPv6:::1]>\r\n (=?utf-8?Q?=C3=BC?=)",
        ),
        (
            "List-Id: Liste f\u{fc}r alle <l.d.test>",
            "List-Id: =?utf-8?Q?Liste_f=C3=BCr_alle?= <l.d.test>",
        ),
        (
            "Keywords: plain, sch\u{f6}n und gut",
            "Keywords: plain, =?utf-8?Q?sch=C3=B6n_und_gut?=",
        ),
    ] {
        let text = made(&format!("{field}\r\n\r\nx\r\n"));
        assert_eq!(text, format!("{wanted}\r\n\r\nx\r\n"));
        // What it says is the same to a reader.
        if field.starts_with("To") || field.starts_with("From") || field.starts_with("Date") {
            let read = |mail: &str| {
                let mail = mail_parser::MessageParser::default().parse(mail.as_bytes());
                let mail = mail.unwrap();
                let addresses = |a: Option<&mail_parser::Address>| -> Vec<String> {
                    let all = a.into_iter().flat_map(|a| a.clone().into_list());
                    all.filter_map(|a| a.address.map(Into::into)).collect()
                };
                (
                    addresses(mail.to()),
                    addresses(mail.from()),
                    mail.date().cloned(),
                )
            };
            assert_eq!(
                read(&format!("{field}\r\n\r\nx\r\n")),
                read(&text),
                "{field}"
            );
        }
    }
    for field in [
        "Message-ID: <\u{fc}@d.test>",
        "List-Post: <mailto:\u{fc}@d.test>",
        "Date: \u{fc} (a)",
    ] {
        assert_eq!(unfit(&format!("{field}\r\n\r\nx\r\n")), Unfit::Header);
    }
}

#[test]
fn names_of_files_and_fields_that_nobody_knows_are_encoded_too() {
    let mail = "Thread-Topic: f\u{fc}r alle\r\nContent-Type: application/pdf;\r\n \
                name=\"\u{dc} b;c.pdf\"\r\nContent-Disposition: attachment; \
                filename=\"\u{dc}.pdf\"; size=3\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
    let text = String::from_utf8(seven_bit(mail.as_bytes()).unwrap()).unwrap();
    for line in [
        "Thread-Topic: =?utf-8?Q?f=C3=BCr?= alle\r\n",
        "Content-Type: application/pdf; name*=utf-8''%C3%9C%20b%3Bc.pdf\r\n",
        "Content-Disposition: attachment; filename*=utf-8''%C3%9C.pdf; size=3\r\n",
        "\r\n\r\nAAAA\r\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let boundary = "Content-Type: multipart/mixed; boundary=\u{fc}\r\n\r\nx\r\n";
    assert!(seven_bit(boundary.as_bytes()).is_err());
}
