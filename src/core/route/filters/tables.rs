//! The tables of filters: which fields there are, how they are written, and what Microsoft's keys mean.

use crate::route::finding::Severity::{self, Info, Warning};

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// `KEY:VALUE;KEY:VALUE;` (Microsoft).
    Pairs,
    /// One value of a Microsoft key.
    Value(&'static str),
    /// `Yes, score=7.1 required=5.0 tests=…` (SpamAssassin).
    Status,
    /// `default: False [1.50 / 15.00]; …` (rspamd).
    Rspamd,
    /// `YES` or `NO`.
    Flag,
    /// A number with a limit above which it is spam.
    Score(f32),
    /// Shown with its meaning.
    Plain,
}

/// Fields, how they are written, and what they tell.
pub(super) static FIELDS: &[(&str, Form, &str)] = &[
    (
        "X-Forefront-Antispam-Report",
        Form::Pairs,
        "Microsoft's filter",
    ),
    (
        "X-Forefront-Antispam-Report-Untrusted",
        Form::Pairs,
        "Microsoft's filter, in the sender's tenant",
    ),
    (
        "X-Microsoft-Antispam",
        Form::Pairs,
        "Microsoft's bulk mail rating",
    ),
    (
        "X-MS-Exchange-Organization-SCL",
        Form::Value("SCL"),
        "Exchange",
    ),
    (
        "X-MS-Exchange-Organization-PCL",
        Form::Value("PCL"),
        "Exchange",
    ),
    (
        "X-MS-Exchange-Organization-AuthAs",
        Form::Value("AuthAs"),
        "Exchange",
    ),
    (
        "X-MS-Exchange-Organization-MessageDirectionality",
        Form::Value("DIR"),
        "Exchange",
    ),
    (
        "X-MS-Exchange-Organization-Network-Message-Id",
        Form::Plain,
        "the id that an administrator needs for Microsoft's message trace",
    ),
    (
        "X-MS-Exchange-Organization-AuthSource",
        Form::Plain,
        "the Exchange server that decided how far to trust the sender",
    ),
    (
        "X-MS-Exchange-Transport-EndToEndLatency",
        Form::Plain,
        "time that Exchange needed from end to end",
    ),
    (
        "X-MS-Exchange-ExternalOriginalInternetSender",
        Form::Plain,
        "the true source behind a gateway in front of Microsoft 365",
    ),
    ("X-Spam-Status", Form::Status, "SpamAssassin"),
    ("X-Spam-Flag", Form::Flag, "spam flag"),
    ("X-Spam", Form::Flag, "spam flag"),
    ("X-Spam-Score", Form::Plain, "spam score"),
    (
        "X-Spam-Level",
        Form::Plain,
        "spam level, one star for each point",
    ),
    ("X-Spamd-Result", Form::Rspamd, "rspamd"),
    ("X-Spamd-Bar", Form::Plain, "rspamd: one + for each point"),
    ("X-Rspamd-Action", Form::Plain, "what rspamd decided"),
    ("X-Barracuda-Spam-Status", Form::Status, "Barracuda"),
    (
        "X-Barracuda-Spam-Score",
        Form::Score(5.0),
        "Barracuda's score",
    ),
    (
        "X-Proofpoint-Spam-Details",
        Form::Plain,
        "Proofpoint: rule and scores",
    ),
    (
        "X-Proofpoint-Spam-Reason",
        Form::Plain,
        "Proofpoint: why it was taken for spam",
    ),
    (
        "X-Mimecast-Spam-Score",
        Form::Score(5.0),
        "Mimecast's score",
    ),
    (
        "X-Mimecast-Bulk-Signature",
        Form::Flag,
        "Mimecast: bulk mail",
    ),
    (
        "X-IronPort-Anti-Spam-Filtered",
        Form::Plain,
        "Cisco ESA: looked at by its spam filter",
    ),
    (
        "X-IronPort-RemoteIP",
        Form::Plain,
        "Cisco ESA: the connecting address",
    ),
    (
        "X-SBRS",
        Form::Plain,
        "Cisco ESA: reputation of the sender, -10 (bad) to 10 (good)",
    ),
    ("X-MailScanner", Form::Plain, "MailScanner"),
    ("X-MailScanner-SpamCheck", Form::Plain, "MailScanner"),
    (
        "X-MailScanner-SpamScore",
        Form::Plain,
        "MailScanner: one letter for each point",
    ),
    ("X-Amavis-Alert", Form::Plain, "amavis objects"),
    (
        "X-Virus-Scanned",
        Form::Plain,
        "looked at by a virus scanner",
    ),
    ("X-Virus-Status", Form::Plain, "virus scanner"),
    (
        "X-CSA-Complaints",
        Form::Plain,
        "Certified Senders Alliance: where to complain",
    ),
    (
        "X-SES-Outgoing",
        Form::Plain,
        "sent through Amazon SES: date and address",
    ),
    (
        "Feedback-ID",
        Form::Plain,
        "campaign, customer, type and sender, for Gmail's feedback",
    ),
    (
        "X-MDRemoteIP",
        Form::Plain,
        "MDaemon: the connecting address",
    ),
];

/// Microsoft's keys and values. A value of `*` matches any.
pub(super) static MICROSOFT: &[(&str, &str, Severity, &str)] = &[
    (
        "SCL",
        "-1",
        Info,
        "not filtered: the sender is trusted or internal",
    ),
    ("SCL", "0", Info, "not spam"),
    ("SCL", "1", Info, "not spam"),
    ("SCL", "5", Warning, "spam"),
    ("SCL", "6", Warning, "spam"),
    ("SCL", "7", Warning, "very likely spam"),
    ("SCL", "8", Warning, "spam with high confidence"),
    ("SCL", "9", Warning, "spam with high confidence"),
    ("PCL", "1", Info, "no sign of phishing"),
    ("PCL", "2", Info, "no sign of phishing"),
    ("PCL", "3", Info, "no sign of phishing"),
    ("PCL", "4", Warning, "suspected phishing"),
    ("PCL", "5", Warning, "suspected phishing"),
    ("PCL", "6", Warning, "suspected phishing"),
    ("PCL", "7", Warning, "suspected phishing"),
    ("PCL", "8", Warning, "suspected phishing"),
    ("BCL", "0", Info, "not from a bulk sender"),
    ("BCL", "1", Info, "bulk sender with few complaints"),
    ("BCL", "2", Info, "bulk sender with few complaints"),
    ("BCL", "3", Info, "bulk sender with few complaints"),
    (
        "BCL",
        "4",
        Info,
        "bulk sender with a mixed number of complaints",
    ),
    (
        "BCL",
        "5",
        Info,
        "bulk sender with a mixed number of complaints",
    ),
    (
        "BCL",
        "6",
        Info,
        "bulk sender with a mixed number of complaints",
    ),
    (
        "BCL",
        "7",
        Warning,
        "bulk sender with a mixed number of complaints",
    ),
    ("BCL", "8", Warning, "bulk sender with many complaints"),
    ("BCL", "9", Warning, "bulk sender with many complaints"),
    ("SFV", "NSPM", Info, "judged as not spam"),
    ("SFV", "SPM", Warning, "judged as spam"),
    (
        "SFV",
        "SKN",
        Info,
        "not filtered: a rule had marked it as not spam before",
    ),
    (
        "SFV",
        "SKA",
        Info,
        "not filtered: the sender or domain is on the allow list",
    ),
    (
        "SFV",
        "SKI",
        Info,
        "not filtered: sent inside the organisation",
    ),
    (
        "SFV",
        "SKB",
        Warning,
        "taken for spam: the sender or domain is on the block list",
    ),
    (
        "SFV",
        "SKS",
        Warning,
        "taken for spam: a rule had marked it before",
    ),
    ("SFV", "SKQ", Info, "released from quarantine"),
    (
        "SFV",
        "SFE",
        Info,
        "not filtered: the user trusts this sender",
    ),
    (
        "SFV",
        "BLK",
        Warning,
        "taken for spam: the user blocks this sender",
    ),
    ("CAT", "NONE", Info, "no category"),
    ("CAT", "SPM", Warning, "spam"),
    ("CAT", "HSPM", Warning, "spam with high confidence"),
    ("CAT", "PHSH", Warning, "phishing"),
    ("CAT", "HPHSH", Warning, "phishing with high confidence"),
    ("CAT", "HPHISH", Warning, "phishing with high confidence"),
    ("CAT", "MALW", Warning, "malware"),
    ("CAT", "AMP", Warning, "malware"),
    ("CAT", "SAP", Warning, "dangerous attachment"),
    ("CAT", "BULK", Info, "bulk mail"),
    ("CAT", "SPOOF", Warning, "forged sender"),
    ("CAT", "DIMP", Warning, "somebody else's domain imitated"),
    ("CAT", "UIMP", Warning, "somebody else's name imitated"),
    ("CAT", "GIMP", Warning, "a usual correspondent imitated"),
    ("CAT", "OSPM", Warning, "spam going out"),
    (
        "SFTY",
        "9.19",
        Warning,
        "safety tip: somebody else's domain imitated",
    ),
    (
        "SFTY",
        "9.20",
        Warning,
        "safety tip: somebody else's name imitated",
    ),
    (
        "SFTY",
        "*",
        Warning,
        "safety tip: phishing or forged sender",
    ),
    (
        "IPV",
        "CAL",
        Info,
        "the address is on the connection allow list",
    ),
    ("IPV", "NLI", Info, "the address is on no reputation list"),
    ("DIR", "INB", Info, "coming in"),
    ("DIR", "OUT", Info, "going out"),
    ("DIR", "OTB", Info, "going out"),
    ("DIR", "INT", Info, "internal"),
    ("DIR", "Incoming", Info, "coming in"),
    ("DIR", "Originating", Info, "going out"),
    ("CIP", "*", Info, "the address that connected"),
    ("CTRY", "*", Info, "the country of that address"),
    ("H", "*", Info, "what the client called itself"),
    ("PTR", "*", Info, "the reverse name of the client"),
    ("LANG", "*", Info, "the language of the text"),
    ("SRV", "BULK", Info, "marked as bulk mail"),
    (
        "X-CustomSpam",
        "*",
        Warning,
        "an advanced filter setting of the tenant matched",
    ),
    ("AuthAs", "Internal", Info, "the sender counts as internal"),
    (
        "AuthAs",
        "Anonymous",
        Info,
        "the sender is from outside and not authenticated",
    ),
    (
        "AuthAs",
        "Partner",
        Info,
        "the sender is a partner organisation",
    ),
];

/// Microsoft's composite authentication, by the start of its reason code.
pub(crate) fn compauth(reason: &str) -> Option<&'static str> {
    const CODES: [(&str, &str); 8] = [
        (
            "000",
            "failed: the domain's own policy asks for rejection or quarantine",
        ),
        (
            "001",
            "failed: the domain publishes no policy, and nothing else speaks for it",
        ),
        (
            "002",
            "failed: this organisation forbids the sender to use that domain",
        ),
        (
            "010",
            "failed: the domain asks for rejection or quarantine, and it is one of ours",
        ),
        ("1", "passed"),
        ("2", "passed softly"),
        ("3", "not checked"),
        ("4", "bypassed"),
    ];
    let known = CODES
        .iter()
        .find(|(code, _)| reason.starts_with(code))
        .map(|(_, words)| *words);
    known.or_else(|| reason.starts_with('9').then_some("bypassed"))
}
