//! What the recipient's side says to a message that has arrived: that he is away, that he
//! wants a confirmation, or that he takes it for spam.

use chrono::Utc;

use super::plan::{Answer, RECIPIENT, SENDER};

/// The answer as a message.
pub(super) fn write(answer: Answer, message: &[u8], message_id: &str) -> Vec<u8> {
    let date = Utc::now().format("%a, %-d %b %Y %H:%M:%S +0000");
    let id = crate::send::Token::new().map(|token| token.to_string());
    let id = id.unwrap_or_else(|| "answer".to_string());
    let head = |from: &str, subject: &str| {
        format!(
            "Date: {date}\r\nFrom: <{from}>\r\nTo: <{SENDER}>\r\nSubject: {subject}\r\nMessage-ID: \
             <{id}@mda.away.test>\r\nIn-Reply-To: <{message_id}>\r\nReferences: \
             <{message_id}>\r\nMIME-Version: 1.0\r\n"
        )
    };
    match answer {
        Answer::Vacation => {
            let mut text = head(RECIPIENT, "Out of office");
            // RFC 3834.
            text.push_str(
                "Auto-Submitted: auto-replied\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
                 I am out of the office until Monday and answer your mail then.\r\n",
            );
            text.into_bytes()
        }
        Answer::Challenge => {
            let mut text = head(RECIPIENT, "Please confirm your message");
            text.push_str(
                "Auto-Submitted: auto-replied\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
                 Your message is held back.\r\nPlease click the link below to verify that you \
                 are a human sender:\r\nhttps://mfa.away.test/confirm\r\n",
            );
            text.into_bytes()
        }
        Answer::Murky => {
            let mut text = head("MAILER-DAEMON@mda.away.test", "Undeliverable mail");
            text.push_str(&format!(
                "Auto-Submitted: auto-replied\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
                 Your message could not be delivered to the following recipient:\r\n\r\n\
                 <{RECIPIENT}>\r\n\r\nIts Message-ID was <{message_id}>.\r\n"
            ));
            text.into_bytes()
        }
        Answer::Complaint => {
            let mut text = head("abuse@away.test", "FW: a complaint about your mail");
            let returned = String::from_utf8_lossy(message).replace("\r\n", "\n");
            let returned = returned.replace('\n', "\r\n");
            // RFC 5965.
            text.push_str(&format!(
                "Content-Type: multipart/report; report-type=feedback-report; boundary=\"={id}\"\r\n\
                 \r\n--={id}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
                 This is an abuse report: the recipient takes this mail for spam.\r\n\
                 \r\n--={id}\r\nContent-Type: message/feedback-report\r\n\r\n\
                 Feedback-Type: abuse\r\nUser-Agent: mailtrace\r\nVersion: 1\r\n\
                 Original-Mail-From: <{SENDER}>\r\nOriginal-Rcpt-To: <{RECIPIENT}>\r\n\
                 \r\n--={id}\r\nContent-Type: message/rfc822\r\n\r\n{returned}\r\n--={id}--\r\n"
            ));
            text.into_bytes()
        }
    }
}
