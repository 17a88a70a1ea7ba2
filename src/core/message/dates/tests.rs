use super::*;

fn shown(text: &str) -> String {
    parse(text).map_or_else(|| "none".into(), |s| s.to_string())
}

#[test]
fn every_order_of_writing_gives_the_same_moment() {
    for text in [
        "Mon, 2 Mar 2026 09:15:30 +0000",
        "Mon,  2 Mar 2026 09:15:30     +0000 (UTC)",
        "2 Mar 2026 10:15:30 +0100 (CET)",
        "Mon Mar 02 09:15:30 2026 +0000",
        "Mon Mar  2 04:15:30 EST 2026",
        "Mon, 02 Mar 26 09:15:30 GMT",
        "Monday, 2 March 2026 09:15:30 Z",
        "2026-03-02 09:15:30.123456789 +0000 UTC m=+123456.789012345",
        "2026-03-02T09:15:30Z",
        "Mar 2, 2026 9:15:30 AM GMT",
        "Mon,\r\n 2-Mar-2026 01:15:30.5 -0800",
        "Mon, 2 Mar 2026 04:15:30-0500",
        "Mon, 2 Mar 2026 10:15:30 GMT+0100",
        "Mo, 02 Mar 2026 10:15:30 +0100",
    ] {
        assert_eq!(
            parse(text).map(|s| s.seconds),
            Some(1_772_442_930),
            "{text}"
        );
    }
}

#[test]
fn the_zone_tells_how_far_it_is_to_be_believed() {
    let zone = |text| parse(text).unwrap().zone;
    assert_eq!(zone("2 Mar 2026 09:15:30 -0000"), Zone::Utc);
    assert_eq!(zone("2 Mar 2026 09:15:30"), Zone::Missing);
    assert_eq!(zone("2 Mar 2026 09:15:30 CET"), Zone::Unknown);
    assert_eq!(zone("2 Mar 2026 09:15:30 A"), Zone::Unknown);
    assert_eq!(zone("2 Mar 2026 09:15:30 +9900"), Zone::Unknown);
    assert_eq!(zone("2 Mar 2026 09:15:30 +05:30"), Zone::Offset(330));
    assert!(!parse("2 Mar 2026 09:15:30 CET").unwrap().is_sure());
}

#[test]
fn a_date_is_written_in_its_own_zone() {
    assert_eq!(
        shown("Sun, 28 Mar 2004 23:54:14 -0800"),
        "2004-03-28T23:54:14-08:00"
    );
    assert_eq!(
        shown("2 Mar 2026 09:15:30 -0000"),
        "2026-03-02T09:15:30-00:00"
    );
    assert_eq!(shown("2 Mar 2026 09:15 +0530"), "2026-03-02T09:15:00+05:30");
    assert_eq!(
        shown("Sat, 31 Dec 2016 23:59:60 +0000"),
        "2017-01-01T00:00:00+00:00"
    );
    assert_eq!(
        shown("1 Jan 1970 00:30:00 +0100"),
        "1970-01-01T00:30:00+01:00"
    );
}

#[test]
fn short_years_follow_rfc_5322() {
    assert!(shown("8 Oct 91 07:29:39 PDT").starts_with("1991-10-08"));
    assert!(shown("8 Oct 49 07:29:39 PDT").starts_with("2049-10-08"));
    assert!(shown("8 Oct 103 07:29:39 PDT").starts_with("2003-10-08"));
}

#[test]
fn a_wrong_weekday_is_noticed_and_does_no_harm() {
    assert!(
        parse("Tue, 2 Mar 2026 09:15:30 +0000")
            .unwrap()
            .wrong_weekday
    );
    assert!(
        !parse("Mon, 2 Mar 2026 09:15:30 +0000")
            .unwrap()
            .wrong_weekday
    );
}

#[test]
fn the_rest_of_the_text_is_left_to_the_caller() {
    let text = "Thu, 10 Nov 2005 08:24:21 -0600 id 0DB.1";
    let (_, len) = prefix(text).unwrap();
    assert_eq!(text.get(len..), Some(" id 0DB.1"));
    let text = "Thu, 10 Nov 2005 08:24:21 ID 0DB.1";
    let (stamp, len) = prefix(text).unwrap();
    assert_eq!(
        (stamp.zone, text.get(len..)),
        (Zone::Missing, Some(" ID 0DB.1"))
    );
}

#[test]
fn what_is_no_date_is_none() {
    for text in [
        "",
        "14:47:44 +0000",
        "31 Feb 2026 10:00:00 +0000",
        "2 Mar 2026",
        "2 Mar 2026 24:00:00 +0000",
        "2 Mar 2026 10:60:00 +0000",
        "2 Mar 20260 10:00:00 +0000",
        "Mon,",
        "15.20.9611.12",
        "0 Xyz 2026 10:00:00",
        "99999999999999999999 Mar 2026 10:00:00",
        "with ESMTP",
    ] {
        assert_eq!(shown(text), "none", "{text}");
    }
}

#[test]
fn days_and_their_reverse_agree_over_four_centuries() {
    for n in (-40_000..120_000).step_by(13) {
        let (y, m, d) = civil(n);
        assert_eq!(days(y, m, d), Some(n));
    }
}

#[test]
fn every_writing_of_one_moment_is_read() {
    for text in [
        "Tue, 13 Jan 2004 14:12:29 -0700 (MST)",
        "Fri, 13 Jan 2004 14:12:29 -0700",
        "13 jan 04 14:12:29 -0700",
        "13 Jan 104 14:12:29 -0700",
        "Tue Jan 13 14:12:29 2004 -0700",
        "Tue,13 Jan 2004 14:12:29 -0700",
        "2004-01-13T14:12:29-07:00",
    ] {
        let moment = read(text).map(|date| date.to_rfc3339());
        assert_eq!(
            moment.as_deref(),
            Some("2004-01-13T14:12:29-07:00"),
            "{text}"
        );
    }
    assert_eq!(
        read("13 Jan 2004 14:12 -0000")
            .unwrap()
            .offset()
            .local_minus_utc(),
        0
    );
    assert_eq!(read("yesterday"), None);
}
