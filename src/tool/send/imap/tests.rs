use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};
use tokio::net::TcpListener;

use super::*;

#[test]
fn what_will_be_the_same_next_time_is_not_tried_again() {
    let at = SocketAddr::from(([127, 0, 0, 1], 143));
    let refused = |command| Trouble::Refused(at, command, "NO".to_owned());
    for (trouble, lasting) in [
        (Trouble::Connection(at, "reset".to_owned()), false),
        (refused("SEARCH"), false),
        (refused("FETCH"), false),
        (refused("LOGIN"), true),
        (refused("EXAMINE"), true),
        (Trouble::Foreign(at), true),
        (Trouble::Certificate(at, "expired".to_owned()), true),
        (Trouble::Clear(at), true),
    ] {
        assert_eq!(trouble.is_lasting(), lasting, "{trouble}");
    }
}

/// A server that answers with literals and nothing else: in one line, or a line for each.
#[tokio::test]
async fn an_answer_without_end_does_not_fill_the_memory() {
    for rest in ["", "\r\n"] {
        let (ours, mut theirs) = tokio::io::duplex(64 << 10);
        let mut session = Session {
            at: SocketAddr::from(([127, 0, 0, 1], 143)),
            stream: Box::new(ours),
            ahead: Vec::new(),
            tags: 0,
            until: Instant::now() + Duration::from_secs(10),
            known: false,
        };
        let mut sent = 0usize;
        let flood = async {
            let literal = format!("* 1 FETCH {{65536}}\r\n{}{rest}", "x".repeat(65536));
            while theirs.write_all(literal.as_bytes()).await.is_ok() {
                sent += literal.len();
            }
        };
        let ended = tokio::select! {
            () = flood => None,
            ended = session.fetch(1) => Some(ended),
        };
        assert!(matches!(ended, Some(Err(Trouble::Foreign(_)))), "{ended:?}");
        assert!(sent <= 2 * MOST_OCTETS, "{sent}");
    }
}

fn session(stream: DuplexStream) -> Session {
    Session {
        at: SocketAddr::from(([127, 0, 0, 1], 143)),
        stream: Box::new(stream),
        ahead: Vec::new(),
        tags: 0,
        until: Instant::now() + Duration::from_secs(10),
        known: false,
    }
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials {
        user: user.to_owned(),
        secret: Secret::Password(password.to_owned()),
    }
}

/// Plays a server: each answer is for one line of ours. Gives those lines.
async fn play<S>(stream: S, greeting: &str, answers: &[&str]) -> Vec<String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    stream.write_all(greeting.as_bytes()).await.ok();
    let mut heard = Vec::new();
    for answer in answers {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            break;
        }
        heard.push(line.trim_end().to_owned());
        stream.write_all(answer.as_bytes()).await.ok();
    }
    heard
}

async fn log_in(credentials: &Credentials, answers: &[&str]) -> (Result<(), Trouble>, Vec<String>) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut session = session(ours);
    let ours = async {
        let done = session.log_in(credentials).await;
        drop(session);
        done
    };
    tokio::join!(ours, play(theirs, "", answers))
}

#[tokio::test]
async fn a_login_goes_the_way_that_the_server_offers() {
    let bob = credentials("bo\"b", "pass\\word");
    let (done, heard) = log_in(
        &bob,
        &[
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nm1 OK\r\n",
            "+ \r\n",
            "m2 OK in\r\n",
        ],
    )
    .await;
    assert_eq!(done, Ok(()));
    assert_eq!(
        heard,
        [
            "m1 CAPABILITY",
            "m2 AUTHENTICATE PLAIN",
            "AGJvImIAcGFzc1x3b3Jk"
        ]
    );
    // A longer name that begins alike is another way.
    let (done, heard) = log_in(
        &bob,
        &[
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN-CLIENTTOKEN\r\nm1 OK\r\n",
            "m2 OK\r\n",
        ],
    )
    .await;
    assert_eq!(done, Ok(()));
    assert_eq!(heard[1], r#"m2 LOGIN "bo\"b" "pass\\word""#);
}

#[tokio::test]
async fn a_refused_login_is_told_in_the_words_of_the_server() {
    let bob = credentials("bob", "wrong");
    let refused = |words: &str| {
        let at = SocketAddr::from(([127, 0, 0, 1], 143));
        Err(Trouble::Refused(at, "the login", words.to_owned()))
    };
    let plain = "* CAPABILITY AUTH=PLAIN\r\nm1 OK\r\n";
    let no = "m2 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
    let (done, _) = log_in(&bob, &[plain, "+\r\n", no]).await;
    assert_eq!(done, refused("Authentication failed."));
    let (done, _) = log_in(&bob, &[plain, no]).await;
    assert_eq!(done, refused("Authentication failed."));
}

#[tokio::test]
async fn a_password_is_not_sent_where_it_may_not_or_cannot_be() {
    let (done, heard) = log_in(
        &credentials("bob", "secret"),
        &["* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nm1 OK\r\n", ""],
    )
    .await;
    assert!(matches!(done, Err(Trouble::Clear(_))), "{done:?}");
    assert_eq!(heard, ["m1 CAPABILITY"]);
    // It would be a second command.
    let (done, heard) = log_in(
        &credentials("bob", "a\r\nm3 DELETE INBOX"),
        &["* CAPABILITY IMAP4rev1\r\nm1 OK\r\n", ""],
    )
    .await;
    assert!(matches!(done, Err(Trouble::Refused(..))), "{done:?}");
    assert_eq!(heard, ["m1 CAPABILITY"]);
    let token = Credentials {
        user: "bob".to_owned(),
        secret: Secret::Token("t".to_owned()),
    };
    let (done, heard) = log_in(&token, &[""]).await;
    assert!(matches!(done, Err(Trouble::Refused(..))), "{done:?}");
    assert!(heard.is_empty());
}

/// Opens a session in clear with a server on this machine.
async fn open(greeting: &str, answers: &[&str]) -> (Result<Session, Trouble>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let account = Account {
        host: "localhost".to_owned(),
        at: listener.local_addr().unwrap(),
        encryption: Encryption::StartTls,
        credentials: credentials("bob", "secret"),
        roots: Arc::default(),
    };
    let until = Instant::now() + Duration::from_secs(10);
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        play(tcp, greeting, answers).await
    };
    let (opened, heard) = tokio::join!(Session::open(&account, until, Utc::now()), server);
    (opened, heard)
}

#[tokio::test]
async fn whom_the_server_knows_already_need_not_log_in() {
    let (opened, heard) = open("* PREAUTH welcome\r\n", &["a1 OK\r\n"]).await;
    assert!(opened.is_ok(), "{opened:?}");
    assert_eq!(heard, ["a1 CAPABILITY"]);
}

#[tokio::test]
async fn a_server_that_is_busy_or_no_imap_server_is_told_apart() {
    let (opened, _) = open("* BYE too many connections\r\n", &[]).await;
    let trouble = opened.err().unwrap();
    assert!(!trouble.is_lasting(), "{trouble}");
    assert!(
        trouble.to_string().ends_with("too many connections"),
        "{trouble}"
    );
    let (opened, _) = open("220 smtp.test ESMTP\r\n", &[]).await;
    assert!(matches!(opened, Err(Trouble::Foreign(_))), "{opened:?}");
}

#[tokio::test]
async fn when_starttls_is_refused_nothing_is_said_in_clear() {
    let answers = [
        "* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK\r\n",
        "a2 NO [UNAVAILABLE] no certificate\r\n",
        "",
    ];
    let (opened, heard) = open("* OK ready\r\n", &answers).await;
    let trouble = opened.err().unwrap().to_string();
    assert!(
        trouble.ends_with("the server says no to STARTTLS: no certificate"),
        "{trouble}"
    );
    assert_eq!(heard, ["a1 CAPABILITY", "a2 STARTTLS"]);
}

#[tokio::test]
async fn a_far_server_without_tls_never_sees_the_password() {
    for greeting in ["* OK ready\r\n", "* PREAUTH welcome\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let account = Account {
            host: "far.test".to_owned(),
            at,
            encryption: Encryption::StartTls,
            credentials: credentials("bob", "secret"),
            roots: Arc::default(),
        };
        let ours = async {
            let tcp = TcpStream::connect(at).await.unwrap();
            let mut session = session(tokio::io::duplex(1).0);
            let end = Instant::now() + Duration::from_secs(10);
            let done = session.clear(tcp, &account, end, false, Utc::now()).await;
            done.map(|_| ())
        };
        let server = async {
            let (tcp, _) = listener.accept().await.unwrap();
            play(tcp, greeting, &["* CAPABILITY IMAP4rev1\r\na1 OK\r\n", ""]).await
        };
        let (done, heard) = tokio::join!(ours, server);
        assert!(matches!(done, Err(Trouble::Clear(_))), "{done:?}");
        assert_eq!(heard, ["a1 CAPABILITY"]);
    }
}

#[tokio::test]
async fn a_folder_is_only_examined_and_a_message_that_has_gone_is_none() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut session = session(ours);
    let since = "2026-11-22T00:30:00Z".parse().unwrap();
    let ours = async {
        let found = session.search("a \"b\"", "mt-1", since).await;
        let there = session.fetch(7).await;
        let gone = session.fetch(9).await;
        let closed = session.search("x", "mt-1", since).await;
        session.leave().await;
        (found, there, gone, closed)
    };
    let answers = [
        "* 2 EXISTS\r\nm1 OK [READ-ONLY]\r\n",
        "* SEARCH 7 9\r\nm2 OK\r\n",
        "* 1 FETCH (UID 7 BODY[]<0> {5}\r\nhello)\r\nm3 OK\r\n",
        "m4 OK\r\n",
        "* BYE [UNAVAILABLE] going down\r\n",
        "* BYE\r\nm6 OK\r\n",
    ];
    let ((found, there, gone, closed), heard) = tokio::join!(ours, play(theirs, "", &answers));
    assert_eq!(found, Ok(vec![7, 9]));
    assert_eq!(there, Ok(Some(b"hello".to_vec())));
    assert_eq!(gone, Ok(None));
    let trouble = closed.err().unwrap();
    assert!(trouble.to_string().ends_with("going down"), "{trouble}");
    assert_eq!(heard[0], r#"m1 EXAMINE "a \"b\"""#);
    // The day before, for the server may be in another zone.
    assert_eq!(
        heard[1],
        "m2 UID SEARCH SINCE 21-Nov-2026 OR HEADER X-Mailtrace-Test mt-1 TEXT mt-1"
    );
    assert_eq!(heard[5], "m6 LOGOUT");
}

#[tokio::test]
async fn a_line_or_a_literal_without_measure_is_no_imap() {
    for flood in [
        "x".repeat(2 * LONGEST_LINE),
        "* 1 FETCH {9999999}\r\n".to_owned(),
    ] {
        let (ours, theirs) = tokio::io::duplex(4096);
        let mut session = session(ours);
        let (got, _) = tokio::join!(
            async {
                let got = session.fetch(1).await;
                drop(session);
                got
            },
            play(theirs, &flood, &[])
        );
        assert!(matches!(got, Err(Trouble::Foreign(_))), "{got:?}");
    }
}
