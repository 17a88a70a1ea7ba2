//! Whatever is said in whatever order: the rules that must always hold.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::{Session, Step};
use crate::mta::fault::Faults;
use crate::mta::journal::Journal;
use crate::mta::mailboxes::Standing;
use crate::mta::session::reply::Reply;
use crate::mta::settings::{Limits, Listener, Role, Settings};
use crate::mta::site::Site;
use crate::mta::store::Nowhere;

fn session(lmtp: bool) -> Session {
    let mut settings = Settings::new("mx.example.test", &["example.test"]);
    settings.users = vec![("bob".to_string(), "secret".to_string())];
    settings.limits = Limits {
        errors: 1000,
        junk: 1000,
        recipients: 3,
        ..Limits::default()
    };
    let site = Site::new(
        settings,
        Arc::new(Nowhere),
        Arc::new(|_| Standing::Known),
        Arc::new(Faults::default()),
        Arc::new(Journal::silent(SystemTime::now)),
        None,
        SystemTime::now,
    );
    let door = Listener {
        lmtp,
        ..Listener::new(([127, 0, 0, 1], 25).into(), Role::Mta)
    };
    let (peer, own) = (([127, 0, 0, 1], 4000).into(), ([127, 0, 0, 1], 25).into());
    Session::new(Arc::new(site), Arc::new(door), peer, own)
}

/// One whole reply, every line with the same code.
fn is_one_reply(octets: &[u8]) -> bool {
    let text = str::from_utf8(octets).unwrap();
    let mut lines = text.split_inclusive("\r\n").peekable();
    let mut whole = false;
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        let mark = if last { " " } else { "-" };
        whole = line.ends_with("\r\n") && line.len() <= 512 && line.get(3..4) == Some(mark);
        if !whole || line.get(..3) != text.get(..3) {
            return false;
        }
    }
    whole
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO a",
        "HELO a",
        "LHLO a",
        "MAIL FROM:<a@b.test>",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b.test> SIZE=99999999999",
        "RCPT TO:<u@example.test>",
        "RCPT TO:<v@example.test>",
        "RCPT TO:<w@example.test>",
        "RCPT TO:<x@example.test>",
        "RCPT TO:<u@other.test>",
        "RCPT TO:<postmaster>",
        "DATA",
        "BDAT 5",
        "BDAT 0 LAST",
        "BDAT 5 x",
        "BDAT x",
        "RSET",
        "NOOP",
        "VRFY a",
        "HELP",
        "EXPN a",
        "STARTTLS",
        "AUTH PLAIN AGJvYgBzZWNyZXQ=",
        "QUIT",
        "FOO",
        "",
    ]);
    prop_oneof![
        20 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_said_there_is_one_reply_and_no_message_without_sender_and_recipient(
        lines in proptest::collection::vec(line(), 0..40),
        lmtp in any::<bool>(),
    ) {
        let mut session = session(lmtp);
        let now = Instant::now();
        // What a client must have said since the last RSET for a message to be taken.
        let (mut greeted, mut accepted, mut logged_in) = (false, 0, false);
        for line in lines {
            let mut out = Vec::new();
            let step = session.command(&line, now, &mut out);
            let code = str::from_utf8(out.get(..3).unwrap_or(b"000")).unwrap().to_string();
            let said = String::from_utf8_lossy(&line).to_ascii_uppercase();
            logged_in |= code == "235";
            if said.starts_with("RCPT TO:<U@OTHER.TEST") && !logged_in {
                prop_assert!(!code.starts_with('2'), "a stranger relays: {}", code);
            }
            match &step {
                Step::Text | Step::Chunk(_, Ok(_)) => prop_assert!(greeted && accepted > 0),
                Step::Answer => prop_assert!(false, "this login needs no challenge"),
                _ => {}
            }
            match step {
                Step::Chunk(_, judged) => {
                    prop_assert!(out.is_empty());
                    let mut out = Vec::new();
                    match judged {
                        Ok(true) => {
                            session.settle(&Reply::new(250, 0, 0, "Ok"), &mut out);
                            accepted = 0;
                        }
                        Ok(false) => session.chunk(5, &mut out),
                        Err(reply) => {
                            session.no_chunk(&reply, false, &mut out);
                        }
                    }
                    prop_assert!(!out.is_empty());
                    continue;
                }
                Step::Text => {
                    prop_assert_eq!(&code, "354");
                    let mut out = Vec::new();
                    session.settle(&Reply::new(250, 0, 0, "Ok"), &mut out);
                    let replies = out.windows(2).filter(|w| w == b"\r\n").count();
                    prop_assert_eq!(replies, if lmtp { accepted } else { 1 });
                    accepted = 0;
                    continue;
                }
                _ => prop_assert!(is_one_reply(&out), "{:?}", String::from_utf8_lossy(&out)),
            }
            if code == "250" {
                match said.split([' ', ':']).next().unwrap_or("") {
                    "EHLO" | "HELO" | "LHLO" => (greeted, accepted) = (true, 0),
                    "RSET" => accepted = 0,
                    "RCPT" => accepted += 1,
                    _ => {}
                }
            }
            if step == Step::Handshake {
                session.encrypted("TLSv1.3", "X".to_string());
                (greeted, accepted, logged_in) = (false, 0, false);
            }
            if step == Step::Leave {
                break;
            }
        }
    }
}
