//! Clocks that speak beside the lines: the times of DKIM signatures (RFC 6376 §3.5, `t=`), of ARC
//! fields (RFC 8617 §4.1), and of `X-Received`, Google's inner trace. Each field is put on top of
//! what is there, so its place says between which lines it was written.

use crate::message::dates::Stamp;
use crate::message::layer::Head;
use crate::route::clocks::Wrong;
use crate::route::hop::Hop;
use crate::route::{net, received};

/// One such time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    /// How far down the header the field stands.
    position: usize,
    seconds: i64,
    /// Whose clock it is.
    host: String,
    /// The kind of field, in words.
    pub(crate) kind: &'static str,
}

/// More of them say nothing new.
const MAX_WITNESSES: usize = 50;
/// As between lines, a small difference is noise.
const NOISE_S: i64 = 2;

/// All witnesses of a header.
pub(crate) fn all(head: &Head<'_>) -> Vec<Witness> {
    let fields = head.fields.iter().enumerate();
    let found = fields.filter_map(|(position, field)| {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let kind = match () {
            () if is("DKIM-Signature") => "a DKIM signature",
            () if is("ARC-Seal") || is("ARC-Message-Signature") => "an ARC seal",
            () if is("X-Received") => {
                let line = received::unfold(&field.body);
                let line = received::read(&line);
                let time = line.time.filter(Stamp::is_sure)?;
                return Some(Witness {
                    position,
                    seconds: time.seconds,
                    // It is written by address, and only by Google.
                    host: "google.com".to_owned(),
                    kind: "an X-Received line",
                });
            }
            () => return None,
        };
        let (mut seconds, mut host) = (None, None);
        for tag in field.body.split(';') {
            let Some((name, value)) = tag.split_once('=') else {
                continue;
            };
            match name.trim() {
                "t" => seconds = value.trim().parse().ok().filter(|t| *t > 0),
                "d" => host = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        Some(Witness {
            position,
            seconds: seconds?,
            host: host?,
            kind,
        })
    });
    found.take(MAX_WITNESSES).collect()
}

/// Which of two contradicting clocks a witness of a third house contradicts too: the one of
/// `lower`, which is older and later, or the one of `upper`.
pub(crate) fn decide(
    all: &[Witness],
    lower: &Hop,
    upper: &Hop,
    lower_s: i64,
    upper_s: i64,
) -> Option<(Wrong, &'static str)> {
    let of = |hop: &Hop, w: &Witness| {
        hop.by
            .best_name()
            .is_some_and(|n| net::same_organisation(n, &w.host))
    };
    let mut verdict = None;
    for witness in all.iter().filter(|w| !of(lower, w) && !of(upper, w)) {
        // Written before the upper line, and yet later than its time.
        let against_upper =
            witness.position > upper.position && witness.seconds > upper_s + NOISE_S;
        // Written after the lower line, and yet earlier than its time.
        let against_lower =
            witness.position < lower.position && witness.seconds < lower_s - NOISE_S;
        let says = match (against_lower, against_upper) {
            (true, false) => Wrong::First,
            (false, true) => Wrong::Second,
            _ => continue,
        };
        match verdict {
            None => verdict = Some((says, witness.kind)),
            // Witnesses who contradict each other decide nothing.
            Some((before, _)) if before != says => return None,
            Some(_) => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use crate::message::layer::Head;

    fn finding(header: &str) -> String {
        let way = crate::route::of(&Head::parse(header.as_bytes()), &[]);
        let skew = way.findings.iter().find(|f| f.code == "clock-skew");
        skew.map(|f| format!("{:?} {}", f.hops, f.text))
            .unwrap_or_default()
    }

    const UPPER: &str = "Received: from a.example (a.example [192.0.2.1]) by mx.b.example (Postfix) with ESMTP id 2; \
        Mon, 2 Mar 2026 09:00:00 +0000\n";
    const LOWER: &str = "Received: from pc (pc.c.example [198.51.100.1]) by a.example (Postfix) with ESMTP id 1; \
        Mon, 2 Mar 2026 09:20:00 +0000\n";

    #[test]
    fn two_clocks_alone_leave_it_open() {
        let text = finding(&format!("{UPPER}{LOWER}\n"));
        assert!(text.contains("which one is wrong does not show"), "{text}");
    }

    #[test]
    fn a_signature_of_a_third_house_decides() {
        // 09:19:50 and 09:00:05.
        let late = "DKIM-Signature: v=1; d=signer.example; s=s; t=1772443190; h=from; bh=a; b=b\n";
        let early = "ARC-Seal: i=1; d=sealer.example; s=s; t=1772442005; cv=none; b=b\n";
        let behind = finding(&format!("{UPPER}{LOWER}{late}\n"));
        assert!(
            behind.starts_with("[2]") && behind.contains("behind"),
            "{behind}"
        );
        assert!(behind.contains("a DKIM signature"), "{behind}");
        let ahead = finding(&format!("{early}{UPPER}{LOWER}\n"));
        assert!(
            ahead.starts_with("[1]") && ahead.contains("ahead"),
            "{ahead}"
        );
    }

    #[test]
    fn a_house_is_no_witness_for_itself() {
        let own = "DKIM-Signature: v=1; d=a.example; s=s; t=1772443190; h=from; bh=a; b=b\n";
        let text = finding(&format!("{UPPER}{LOWER}{own}\n"));
        assert!(text.contains("does not show"), "{text}");
    }

    #[test]
    fn the_inner_trace_of_google_is_a_witness() {
        let inner = "X-Received: by 2002:a05:6000:1: with SMTP id x; Mon, 02 Mar 2026 01:00:10 -0800 (PST)\n";
        let text = finding(&format!("{inner}{UPPER}{LOWER}\n"));
        assert!(text.contains("an X-Received line"), "{text}");
    }
}
