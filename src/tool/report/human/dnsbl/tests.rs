use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dns::Name;
use crate::dnsbl::catalogue::{LISTS, Sense};
use crate::dnsbl::source::{Choice, Source};
use crate::dnsbl::trust::Distrust;
use crate::dnsbl::verdict::Said;

const WIDTH: usize = 80;
const NORMAL: Detail = Detail {
    quiet: false,
    verbose: false,
};
const QUIET: Detail = Detail {
    quiet: true,
    verbose: false,
};
const VERBOSE: Detail = Detail {
    quiet: false,
    verbose: true,
};

fn source(zone: &str, weight: Weight) -> Arc<Source> {
    let choice = Choice {
        zones: vec![zone.to_string()],
        ..Choice::default()
    };
    let source = choice.sources().unwrap().remove(0);
    Arc::new(Source { weight, ..source })
}

fn verdict(zone: &str, status: Status) -> Verdict {
    Verdict::without(&source(zone, Weight::Medium), status, None)
}

fn listed(zone: &str, weight: Weight, sense: Sense) -> Verdict {
    let said = Said {
        means: format!("said by {zone}"),
        sense,
        kind: None,
        part: None,
    };
    Verdict {
        codes: vec![[127, 0, 0, 2].into()],
        meanings: vec![said],
        ..Verdict::without(&source(zone, weight), Status::Listed, None)
    }
}

fn with_meaning_of(verdict: Verdict, means: &str) -> Verdict {
    let said = Said {
        means: means.to_string(),
        sense: Sense::Info,
        kind: None,
        part: None,
    };
    Verdict {
        meanings: vec![said],
        ..verdict
    }
}

fn about(ip: &str, verdicts: Vec<Verdict>) -> Finding {
    let ip: IpAddr = ip.parse().unwrap();
    Finding {
        subject: ip.into(),
        scope: Some(Scope::of(ip)),
        from: None,
        verdicts,
        distrust: None,
    }
}

fn shown(what: &Finding, detail: Detail) -> String {
    let paint = Painter::plain(WIDTH);
    finding(what, None, None, None, &[], paint, detail)
}

fn headline_of(verdicts: Vec<Verdict>) -> String {
    let text = shown(&about("11.22.33.4", verdicts), QUIET);
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_string()
}

#[test]
fn the_headline_says_how_bad_the_listings_are() {
    let (high, medium, low) = (Weight::High, Weight::Medium, Weight::Low);
    let block = |zone, weight| listed(zone, weight, Sense::Block);
    let policy = |zone| listed(zone, high, Sense::Policy);
    let clean = || verdict("clean.test", Status::Clean);
    for (verdicts, words) in [
        (vec![block("a.test", high)], "on 1 of 1 list, a weighty one"),
        (
            vec![block("a.test", low), clean()],
            "on 1 of 2 lists, not a weighty one",
        ),
        (
            vec![block("a.test", low), block("b.test", low)],
            "on 2 of 2 lists, none of them weighty",
        ),
        (vec![block("a.test", medium), clean()], "on 1 of 2 lists"),
        (
            vec![block("a.test", high), block("b.test", low)],
            "on 2 of 2 lists, one of them weighty",
        ),
        (
            vec![block("a.test", high), block("b.test", high)],
            "on 2 of 2 lists, 2 of them weighty",
        ),
        (
            vec![policy("a.test"), clean()],
            "on 1 of 2 lists, which only says that it should not send mail directly",
        ),
        (
            vec![policy("a.test"), policy("b.test")],
            "on 2 of 2 lists, which only say that it should not send mail directly",
        ),
    ] {
        assert_eq!(headline_of(verdicts), format!("✗ 11.22.33.4 is {words}"));
    }
    assert_eq!(
        headline_of(vec![clean(), verdict("b.test", Status::Clean)]),
        "✓ 11.22.33.4 is on none of 2 lists that answered"
    );
}

#[test]
fn what_the_other_lists_said_stands_below_by_what_it_is_worth() {
    let skipped = Verdict {
        note: Some("lists names, no addresses".to_string()),
        ..verdict("names.test", Status::Skipped)
    };
    let good = |zone| with_meaning_of(verdict(zone, Status::Allowed), "a known sender");
    let what = about(
        "11.22.33.4",
        vec![
            verdict("late.test", Status::Timeout),
            verdict("shut.test", Status::Refused),
            skipped,
            good("praise.test"),
            with_meaning_of(verdict("fact.test", Status::Info), "in AS 64496"),
            verdict("mute.test", Status::Info),
            verdict("clean.test", Status::Clean),
        ],
    );
    assert_eq!(
        shown(&what, NORMAL),
        "✓ 11.22.33.4 is on none of 4 lists that answered\n  \
         ? 2 lists gave no answer worth trusting: shut.test, late.test\n  \
         · 1 list not asked: names.test (lists names, no addresses)\n  \
         ✓ 1 list of good senders knows it: praise.test (a known sender)\n  \
         · 2 lists state a fact: fact.test (in AS 64496), mute.test\n  \
         ✓ 1 list: clean\n"
    );
    let two = about("11.22.33.4", vec![good("a.test"), good("b.test")]);
    assert!(shown(&two, NORMAL).contains("2 lists of good senders know it"));
}

#[test]
fn of_many_lists_six_are_named_and_of_many_listings_twelve_are_told_but_all_with_verbose() {
    let late = |n| verdict(&format!("late{n}.test"), Status::Timeout);
    let text = shown(&about("11.22.33.4", (0..8).map(late).collect()), NORMAL);
    assert!(text.contains("and 2 more (-v names all)"), "{text}");
    assert!(!text.contains("late6.test"), "{text}");
    let on = |n| listed(&format!("on{n}.test"), Weight::Low, Sense::Block);
    let what = about("11.22.33.4", (0..14).map(on).collect());
    let text = shown(&what, NORMAL);
    let more = "and 2 more (-v tells of all): on12.test, on13.test";
    assert!(text.contains(more), "{text}");
    assert!(!text.contains("said by on12.test"), "{text}");
    let all = shown(&what, VERBOSE);
    assert!(all.contains("said by on13.test") && !all.contains("2 more"));
}

#[test]
fn a_listing_tells_which_parent_is_listed_what_the_list_writes_and_what_is_odd_about_it() {
    let mut one = listed("bl.test", Weight::High, Sense::Block);
    one.matched = Some(Name::parse("shop.test").unwrap());
    one.texts = vec![b"see\x1b[1m page".to_vec()];
    one.note = Some("its test entries gave no answer".to_string());
    one.ttl = Some(300);
    let what = Finding {
        subject: crate::dnsbl::subject::Subject::Domain(Name::parse("www.shop.test").unwrap()),
        scope: None,
        from: Some("a link in the mail".to_string()),
        verdicts: vec![one],
        distrust: None,
    };
    assert_eq!(
        shown(&what, NORMAL),
        "✗ www.shop.test is on 1 of 1 list, a weighty one\n  \
         a link in the mail\n\n  \
         ✗ bl.test                 weight high    127.0.0.2\n      \
         said by bl.test\n      \
         listed is shop.test\n      \
         \"see\\x1B[1m page\"\n      \
         its test entries gave no answer\n    \
         Resolvers may repeat this for up to 300 s after a removal.\n"
    );
}

#[test]
fn with_a_resolver_that_is_not_to_be_trusted_the_lists_are_not_gone_through() {
    let mut what = about("11.22.33.4", vec![verdict("bl.test", Status::Untrusted)]);
    what.distrust = Some(Distrust::Rewrites([203, 0, 113, 80].into()));
    let remark = Some("many lists refuse");
    let paint = Painter::plain(WIDTH);
    let text = finding(&what, None, Some("it lies"), remark, &[], paint, NORMAL);
    assert_eq!(text, "? 11.22.33.4: it lies\n  ! many lists refuse.\n");
}

#[test]
fn the_owner_of_a_private_address_is_shown_the_public_one_of_this_machine() {
    let what = about("192.168.1.50", vec![verdict("bl.test", Status::Skipped)]);
    let own = ["11.22.33.9".parse().unwrap()];
    let text = |detail| finding(&what, None, None, None, &own, Painter::plain(WIDTH), detail);
    let normal = text(NORMAL);
    let way = "    mailtrace dnsbl 11.22.33.9      this machine has that public address itself\n";
    assert!(normal.contains(way), "{normal}");
    let quiet = text(QUIET);
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    assert!(quiet.ends_with("so none was asked.\n"), "{quiet}");
}

#[test]
fn a_row_of_a_range_is_shown_for_what_is_listed_or_unknown_and_not_for_what_is_clean() {
    let of = |verdicts| row(&about("11.22.33.4", verdicts), Painter::plain(WIDTH));
    assert_eq!(of(vec![verdict("bl.test", Status::Clean)]), None);
    let light = listed("light.test", Weight::Low, Sense::Block);
    let heavy = listed("heavy.test", Weight::High, Sense::Block);
    assert_eq!(
        of(vec![light, heavy]).unwrap(),
        "✗ 11.22.33.4        on 2 of 2   high    heavy.test, light.test\n"
    );
    assert_eq!(
        of(vec![verdict("bl.test", Status::Timeout)]).unwrap(),
        "? 11.22.33.4        no list gave an answer worth trusting\n"
    );
}

#[test]
fn a_range_of_which_nothing_is_known_is_no_all_clear() {
    let text = |listed, unknown, by_list: &[(&str, usize)]| {
        let by_list = by_list.iter().map(|(id, n)| ((*id).to_string(), *n));
        let sum = RangeSum {
            total: 4,
            listed,
            unknown,
            by_list: by_list.collect(),
        };
        range("11.22.33.0/30", &sum, Painter::plain(WIDTH))
    };
    assert_eq!(
        text(0, 0, &[]),
        "✓ 11.22.33.0/30: 0 of 4 addresses are listed\n"
    );
    assert_eq!(
        text(0, 4, &[]),
        "? 11.22.33.0/30: nothing is known of its 4 addresses\n"
    );
    assert_eq!(
        text(0, 1, &[]),
        "? 11.22.33.0/30: 0 of 4 addresses are listed, nothing is known of 1\n"
    );
    assert_eq!(
        text(1, 2, &[("spamcop", 1)]),
        "✗ 11.22.33.0/30: 1 of 4 addresses are listed, nothing is known of 2\n  spamcop 1\n"
    );
}

#[test]
fn the_table_of_every_list_has_what_was_said_or_why_not_and_how_long_it_took() {
    let mut clean = verdict("clean.test", Status::Clean);
    clean.took = Some(Duration::from_micros(12_340));
    let late = Verdict {
        note: Some("no answer in time".to_string()),
        ..verdict("late.test", Status::Timeout)
    };
    let on = listed("on.test", Weight::Low, Sense::Block);
    let text = shown(&about("11.22.33.4", vec![late, clean, on]), VERBOSE);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<&str>| row.len() > 2 && row[0].ends_with(".test"))
        .collect();
    assert_eq!(
        rows,
        [
            &["on.test", "listed", "low", "said", "by", "on.test"][..],
            &["clean.test", "clean", "medium", "12.3"],
            &[
                "late.test",
                "timeout",
                "medium",
                "no",
                "answer",
                "in",
                "time"
            ],
        ]
    );
}

#[test]
fn the_catalogue_shows_the_dead_lists_only_when_asked_and_since_when_they_are() {
    let dead = |list: &&List| list.dead.is_some_and(|death| death.ended.is_some());
    let dead = LISTS.iter().find(dead).unwrap();
    let since = format!("dead {}", dead.dead.unwrap().ended.unwrap());
    let row = |text: &str| {
        let row = |line: &&str| line.split_whitespace().next() == Some(dead.id);
        text.lines().find(row).map(str::to_string)
    };
    let all = catalogue(LISTS.iter().collect(), Painter::plain(200), true);
    assert!(row(&all).unwrap().contains(&since), "{all}");
    assert!(all.ends_with("of them dead.\n"));
    let usual = catalogue(LISTS.iter().collect(), Painter::plain(200), false);
    assert_eq!(row(&usual), None);
    assert!(usual.contains("-v shows those too"));
}
