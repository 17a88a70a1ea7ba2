use super::*;

/// One line per form: the field, then what it says, by the keys of the published JSON.
fn told(body: &str) -> String {
    let r = read(body);
    let mut out = Vec::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push(format!("{key}={value}"));
        }
    };
    put("name", r.from.name.map(Into::into));
    put("helo", r.from.helo.map(Into::into));
    put("rdns", r.from.rdns.map(Into::into));
    put("ip", r.from.ip.map(|ip| ip.to_string()));
    put("port", r.from.port.map(|p| p.to_string()));
    put("ident", r.from.ident.map(Into::into));
    put("login", r.from.login.map(Into::into));
    put("by", r.by.host.map(Into::into));
    put("byip", r.by.ip.map(|ip| ip.to_string()));
    put("with", r.with.map(Into::into));
    put("via", r.via.map(Into::into));
    put("id", r.id.map(Into::into));
    put("for", r.recipient.map(Into::into));
    put("sender", r.envelope_from.map(Into::into));
    put(
        "auth",
        r.auth
            .authenticated
            .then(|| r.auth.user.unwrap_or("yes").into()),
    );
    put("tls", r.tls.version.map(Into::into));
    put("cipher", r.tls.cipher.map(Into::into));
    out.join(" ")
}

#[test]
fn every_form_is_read_as_checked_by_hand() {
    let forms = include_str!("../../../../testdata/received/forms.txt");
    let mut count = 0;
    let mut body = "";
    for line in forms.lines() {
        if let Some(text) = line.strip_prefix("< ") {
            body = text;
        } else if let Some(wanted) = line.strip_prefix('>') {
            assert_eq!(told(body), wanted.trim(), "{body}");
            assert!(!read(body).unparsed && read(body).time.is_some(), "{body}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} forms");
}

#[test]
fn folding_changes_nothing() {
    let forms = include_str!("../../../../testdata/received/forms.txt");
    for body in forms.lines().filter_map(|l| l.strip_prefix("< ")) {
        // `a, b` is one date or list; every other blank may be a fold.
        for fold in ["\r\n\t", "\n ", "  "] {
            assert_eq!(
                told(&unfold(&body.replace(' ', fold))),
                told(&unfold(body)),
                "{body}"
            );
        }
    }
}

#[test]
fn keywords_may_be_written_in_any_case_and_order() {
    let plain = "from a.example (b.example [192.0.2.1]) by c.example with ESMTP id 7 for <d@e.example>; 2 Mar 2026 09:15:30 +0000";
    let loud = "BY c.example FOR <d@e.example> Id 7 WITH ESMTP From a.example (b.example [192.0.2.1]); 2 Mar 2026 09:15:30 +0000";
    assert_eq!(told(plain), told(loud));
}

#[test]
fn words_that_are_no_names_are_not_given_as_names() {
    for body in [
        "from unknown by a.example; 2 Mar 2026 09:15:30 +0000",
        "from [Masked] by a.example; 2 Mar 2026 09:15:30 +0000",
        "from mail pickup service by a.example; 2 Mar 2026 09:15:30 +0000",
        "from Spooler by a.example; 2 Mar 2026 09:15:30 +0000",
        "from <unavailable> by a.example; 2 Mar 2026 09:15:30 +0000",
        "by a.example (Postfix, from userid 33) id 1; 2 Mar 2026 09:15:30 +0000",
        "(qmail 1 invoked from network); 2 Mar 2026 09:15:30 -0000",
    ] {
        let r = read(body);
        assert_eq!(
            (r.from.name, r.from.helo, r.from.rdns, r.from.ip),
            (None, None, None, None),
            "{body}"
        );
    }
}

#[test]
fn what_a_client_says_in_helo_is_kept_whatever_it_is() {
    let helo = |word| {
        let body = format!(
            "from {word} (unknown [192.0.2.1]) by b.example (Postfix); 2 Mar 2026 09:15:30 +0000"
        );
        read(&body).from.helo.map(str::to_owned)
    };
    for word in ["private", "rex@c.example", "my_pc*", "http://c.example/"] {
        assert_eq!(helo(word).as_deref(), Some(word));
    }
}

#[test]
fn remarks_beside_an_address_are_no_reverse_names() {
    for remark in [
        "really",
        "NXDOMAIN",
        "ip:",
        "user@c.example[W4_1]",
        "mailfrom:a@c.example",
    ] {
        let body = format!(
            "from a.example ({remark} [192.0.2.1]) by b.example; 2 Mar 2026 09:15:30 +0000"
        );
        let r = read(&body);
        assert_eq!((r.from.rdns, r.from.ident), (None, None), "{remark}");
        assert_eq!(r.from.ip, "192.0.2.1".parse().ok(), "{remark}");
    }
}

#[test]
fn an_impossible_address_is_kept_as_such() {
    let r = read("from a (b.example [300.1.2.3]) by c.example; 2 Mar 2026 09:15:30 +0000");
    assert_eq!((r.from.ip, r.from.impossible_ip), (None, Some("300.1.2.3")));
}

#[test]
fn what_says_nothing_is_unparsed() {
    assert!(read("").unparsed && read("nothing to see here").unparsed);
    assert!(!read("by a.example").unparsed);
}

#[test]
fn hostile_fields_are_read_in_linear_time() {
    let clock = std::time::Instant::now();
    for unit in [
        "(",
        ")",
        "from ",
        "by (",
        "; ",
        "<",
        "\"",
        "a@",
        "[",
        "using tls ",
        "\\(",
        "é",
        "; Mon, ",
        "(a ",
    ] {
        let body = format!("from {}", unit.repeat(200_000 / unit.len()));
        let _ = read(&body);
    }
    // A second would be far too long for one of them even in a debug build.
    assert!(clock.elapsed().as_secs() < 10, "{:?}", clock.elapsed());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(body in "\\PC{0,300}") {
        let _ = read(&body);
    }

    #[test]
    fn any_mixture_of_the_words_of_traces_is_read_without_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "from", "by", "with", "id", "for", "via", "(", ")", "[", "]", "<", ">", ";", "@", "\"", "HELO",
                "helo=", "192.0.2.1", "[192.0.2.1]", "a.example", "unknown", "=", ":", "2 Mar 2026 09:15:30",
                "Mon,", "+0000", "tls", "as user", "é", ",", "authenticated", "IPv6:", "version=TLS1_2", "\\",
            ]),
            0..40,
        ),
        glue in proptest::sample::select(vec!["", " ", "\r\n\t"]),
    ) {
        let _ = read(&words.join(glue));
    }
}

#[test]
fn a_product_named_after_authentication_authenticates_nobody() {
    let auth = |comment| {
        let body = format!(
            "from a.example (a.example [192.0.2.1]) by b.example ({comment}) with ESMTP id 1"
        );
        let auth = read(&body).auth;
        (auth.authenticated, auth.user.map(str::to_owned))
    };
    let alice = (true, Some("alice".to_owned()));
    assert_eq!(auth("Authentication Milter"), (false, None));
    assert_eq!(auth("AUTH via LOGINBEFORESMTP"), (true, None));
    assert_eq!(auth("authenticated as alice"), alice);
    assert_eq!(auth("AUTH alice"), alice);
}

#[test]
fn the_session_is_read_outside_brackets_too() {
    let r = read(
        "from a.example (a.example [192.0.2.1]) by b.example (OpenSMTPD) with ESMTPSA id 83a1b6b2 \
         (TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256:NO) auth=yes user=alice for <bob@b.example>",
    );
    assert_eq!((r.auth.user, r.id), (Some("alice"), Some("83a1b6b2")));
    let r = read(
        "from a.example (a.example [192.0.2.1]) by b.example (OpenSMTPD) with ESMTP id 0b1c2d3e \
         TLS version=TLSv1/SSLv3 cipher=DHE-RSA-AES256-SHA bits=256 verify=NO for <bob@b.example>",
    );
    assert_eq!(
        (r.tls.version, r.tls.cipher),
        (Some("TLSv1.0"), Some("DHE-RSA-AES256-SHA"))
    );
    assert_eq!(r.recipient, Some("bob@b.example"));
}
