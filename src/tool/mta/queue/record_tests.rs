use super::*;
use crate::message::status::EnhancedCode;
use crate::mta::queue::tests::envelope;

const KEY: &str = "0123";

fn id(n: u64) -> QueueId {
    QueueId::of_micros(n)
}

fn outcome() -> Outcome {
    Outcome {
        at: read_time("2026-11-22T07:41:00.123456Z").unwrap(),
        status: EnhancedCode::parse("5.1.1").unwrap(),
        host: Some("mx.example.net".to_string()),
        ip: Some([192, 0, 2, 1].into()),
        command: Some("RCPT TO".to_string()),
        reply: Some("550 5.1.1 no 100% such user\r\nreally".to_string()),
        words: None,
        expired: false,
    }
}

fn read(bytes: &[u8]) -> (Vec<Record>, bool) {
    let mut records = Records::new(bytes, KEY, 0);
    let all = records.by_ref().collect();
    (all, records.torn)
}

/// A file with two messages, notes and filling.
fn file() -> Vec<u8> {
    let mut out = Vec::new();
    write_message(
        &mut out,
        KEY,
        id(1),
        &envelope(2),
        b"Subject: a\r\n\r\nx\r\n",
        None,
    );
    let event = Event::State(1, State::Failed, outcome());
    write_note(&mut out, KEY, id(1), 7, &event);
    write_message(&mut out, KEY, id(2), &envelope(1), b"no end", None);
    write_message(
        &mut out,
        KEY,
        id(3),
        &envelope(1),
        b"",
        Some((70_000, 0xabcd)),
    );
    write_note(&mut out, KEY, id(2), 8, &Event::Gone);
    out.extend_from_slice(&[b'\n'; 100]);
    out
}

#[test]
fn what_was_written_reads_back() {
    let (records, torn) = read(&file());
    assert!(!torn);
    assert_eq!(records.len(), 5);
    let Record::Message {
        id: first,
        envelope: read,
        place,
    } = &records[0]
    else {
        panic!()
    };
    assert_eq!((*first, &**read), (id(1), &envelope(2)));
    let Place::Inline(at, octets) = *place else {
        panic!()
    };
    let at = usize::try_from(at).unwrap();
    let end = at + usize::try_from(octets).unwrap();
    assert_eq!(&file()[at..end], b"Subject: a\r\n\r\nx\r\n");
    let event = Event::State(1, State::Failed, outcome());
    assert_eq!(
        records[1],
        Record::Note {
            id: id(1),
            number: 7,
            event
        }
    );
    assert!(matches!(
        records[3],
        Record::Message {
            place: Place::Big(70_000, 0xabcd),
            ..
        }
    ));
}

#[test]
fn every_event_reads_back() {
    let at = outcome().at;
    for event in [
        Event::Next(at, 3),
        Event::Told(0),
        Event::Warned(9),
        Event::Held(true),
        Event::Held(false),
        Event::Gone,
        Event::Removed,
        Event::State(0, State::Waiting, outcome()),
        Event::State(
            0,
            State::Relayed,
            Outcome {
                words: Some("-".into()),
                reply: None,
                expired: true,
                ..outcome()
            },
        ),
    ] {
        assert_eq!(Event::read(&event.write()), Some(event));
    }
}

#[test]
fn a_file_cut_at_any_octet_gives_the_whole_records_before_the_cut() {
    let whole = file();
    let (all, _) = read(&whole);
    let mut seen = 0;
    for end in 0..=whole.len() {
        let (some, _) = read(&whole[..end]);
        assert!(some.len() >= seen, "{end}");
        assert_eq!(some, all[..some.len()], "{end}");
        seen = some.len();
    }
    assert_eq!(seen, all.len());
}

#[test]
fn a_torn_record_in_the_middle_costs_at_most_its_neighbour() {
    let whole = file();
    let (all, _) = read(&whole);
    for at in 0..whole.len() - 100 {
        let mut torn = whole.clone();
        torn[at] ^= 0x55;
        let (some, noticed) = read(&torn);
        // A line end that is torn takes the next record along.
        assert!(some.len() >= all.len() - 2, "{at}");
        assert!(some.iter().all(|record| all.contains(record)), "{at}");
        // The line end behind a text that has none of its own belongs to nobody.
        assert!(noticed || some.len() == all.len(), "{at}");
    }
}

#[test]
fn a_record_within_a_mail_is_only_text() {
    let mut forged = Vec::new();
    write_message(&mut forged, "guess", id(66), &envelope(1), b"x\r\n", None);
    write_note(&mut forged, "guess", id(1), 9, &Event::Gone);
    let mut out = Vec::new();
    write_message(&mut out, KEY, id(1), &envelope(1), &forged, None);
    assert_eq!(read(&out).0.len(), 1);
    // Also when the message around it is torn.
    out[20] ^= 1;
    assert_eq!(read(&out).0.len(), 0);
}

#[test]
fn an_envelope_with_everything_in_it_reads_back() {
    use crate::mta::envelope::{Body, Notify, Ret};
    let mut full = envelope(3);
    full.sender.as_mut().unwrap().local = "a \"b\\c>@%d".to_string();
    full.ret = Some(Ret::Headers);
    full.envid = Some("id 1%".to_string());
    full.body = Body::Binary;
    full.smtputf8 = true;
    full.client.user = Some("al ice".to_string());
    full.client.helo = Some("[IPv6:::1]\n== note".to_string());
    full.recipients[0].notify = Some(Notify::default());
    full.recipients[1].notify = Some(Notify {
        success: true,
        failure: false,
        delay: true,
    });
    full.recipients[2].orcpt = Some(("utf-8".to_string(), "j\u{fc}rgen@x;y".to_string()));
    full.recipients[2].address.domain = None;
    let text = envelope_text::write(&full);
    assert_eq!(envelope_text::read(&text), Some((full, None)));
}

#[test]
fn escaping_is_undone() {
    for text in ["", "-", "--", "a b", "%", "%41", "\u{85}x\n", "gr\u{fc}n"] {
        let word = escape(text);
        assert!(!word.is_empty() && !word.contains([' ', '\n']), "{text:?}");
        assert_eq!(unescape(&word), text);
    }
}
