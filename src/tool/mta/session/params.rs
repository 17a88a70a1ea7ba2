//! The parameters of MAIL and RCPT (RFC 5321 section 4.1.2, RFC 1870, 3461, 4954, 6152, 6531).

use crate::mta::envelope::{Body, Notify, Ret};

use super::reply::Reply;

/// Octets of an ENVID as it is written (RFC 3461 section 4.4).
const LONGEST_ENVID: usize = 100;
/// Octets of an ORCPT as it is written (RFC 3461 section 4.2).
const LONGEST_ORCPT: usize = 500;
/// Digits of a SIZE (RFC 1870 section 3).
const MOST_DIGITS: usize = 20;

/// What MAIL was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE; a number too large to count is the largest there is.
    pub size: Option<u64>,
    /// BODY.
    pub body: Option<Body>,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// RET.
    pub ret: Option<Ret>,
    /// ENVID, decoded.
    pub envid: Option<String>,
    /// AUTH was given (RFC 4954 section 5); nobody here acts upon it.
    pub auth: bool,
    /// The address was written with characters outside ASCII, in whatever part of it.
    pub wide: bool,
}

/// What RCPT was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RcptParameters {
    /// NOTIFY.
    pub notify: Option<Notify>,
    /// ORCPT: type and address, decoded.
    pub orcpt: Option<(String, String)>,
    /// The address was written with characters outside ASCII, in whatever part of it.
    pub wide: bool,
}

const fn bad(text: &'static str) -> Reply {
    Reply::new(501, 5, 4, text)
}

const UNKNOWN: Reply = Reply::new(555, 5, 4, "Unsupported parameter");
const TWICE: Reply = bad("A parameter was given twice");

/// `KEYWORD` or `KEYWORD=VALUE`, for each word.
fn each<'l>(
    text: &'l str,
    mut take: impl FnMut(&str, Option<&'l str>) -> Result<(), Reply>,
) -> Result<(), Reply> {
    if !text.is_empty() && !text.starts_with([' ', '\t']) {
        return Err(bad("A blank must stand between address and parameters"));
    }
    for word in text.split([' ', '\t']).filter(|word| !word.is_empty()) {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let is_keyword = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_value = |value: &str| !value.is_empty() && !value.contains('=');
        if !is_keyword || !value.is_none_or(is_value) {
            return Err(bad("Malformed parameter"));
        }
        take(&keyword.to_ascii_uppercase(), value)?;
    }
    Ok(())
}

/// Sets what may be set once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reply> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

impl MailParameters {
    /// Reads what stands behind the reverse path.
    pub fn parse(text: &str) -> Result<Self, Reply> {
        let mut read = Self::default();
        each(text, |keyword, value| match (keyword, value) {
            ("SIZE", Some(value)) => once(&mut read.size, size(value)?),
            ("BODY", Some(value)) => {
                let body = match value.to_ascii_uppercase().as_str() {
                    "7BIT" => Body::SevenBit,
                    "8BITMIME" => Body::EightBit,
                    _ => return Err(bad("BODY is 7BIT or 8BITMIME")),
                };
                once(&mut read.body, body)
            }
            ("SMTPUTF8", None) => match std::mem::replace(&mut read.smtputf8, true) {
                false => Ok(()),
                true => Err(TWICE),
            },
            ("RET", Some(value)) => {
                let ret = match value.to_ascii_uppercase().as_str() {
                    "FULL" => Ret::Full,
                    "HDRS" => Ret::Headers,
                    _ => return Err(bad("RET is FULL or HDRS")),
                };
                once(&mut read.ret, ret)
            }
            ("ENVID", Some(value)) if value.len() <= LONGEST_ENVID => {
                let envid = xtext(value).ok_or(bad("ENVID is no xtext"))?;
                once(&mut read.envid, envid)
            }
            ("ENVID", Some(_)) => Err(bad("ENVID is longer than 100 octets")),
            ("AUTH", Some(value)) if value != "<>" && xtext(value).is_none() => {
                Err(bad("AUTH is <> or an address in xtext"))
            }
            ("AUTH", Some(_)) => match std::mem::replace(&mut read.auth, true) {
                false => Ok(()),
                true => Err(TWICE),
            },
            ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH", _) => {
                Err(bad("Malformed parameter"))
            }
            _ => Err(UNKNOWN),
        })?;
        Ok(read)
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        let Self { wide, .. } = *self;
        *self
            == Self {
                wide,
                ..Self::default()
            }
    }
}

impl RcptParameters {
    /// Reads what stands behind the forward path.
    pub fn parse(text: &str) -> Result<Self, Reply> {
        let mut read = Self::default();
        each(text, |keyword, value| match (keyword, value) {
            ("NOTIFY", Some(value)) => once(&mut read.notify, notify(value)?),
            ("ORCPT", Some(value)) if value.len() <= LONGEST_ORCPT => {
                once(&mut read.orcpt, orcpt(value)?)
            }
            ("ORCPT", Some(_)) => Err(bad("ORCPT is longer than 500 octets")),
            ("NOTIFY" | "ORCPT", None) => Err(bad("Malformed parameter")),
            _ => Err(UNKNOWN),
        })?;
        Ok(read)
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.notify.is_none() && self.orcpt.is_none()
    }
}

fn size(text: &str) -> Result<u64, Reply> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if !digits || text.len() > MOST_DIGITS {
        return Err(bad("SIZE is a number of at most 20 digits"));
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

fn notify(text: &str) -> Result<Notify, Reply> {
    const BAD: Reply = bad("NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY");
    if text.eq_ignore_ascii_case("NEVER") {
        return Ok(Notify::default());
    }
    let mut notify = Notify::default();
    for word in text.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(BAD),
        }
    }
    Ok(notify)
}

fn orcpt(text: &str) -> Result<(String, String), Reply> {
    const BAD: Reply = bad("ORCPT is a type, a semicolon and an address in xtext");
    let (kind, address) = text.split_once(';').ok_or(BAD)?;
    let is_atom = |kind: &str| {
        !kind.is_empty()
            && kind
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    if !is_atom(kind) || address.is_empty() {
        return Err(BAD);
    }
    let decoded = if kind.eq_ignore_ascii_case("utf-8") {
        utf8_xtext(address)
    } else {
        xtext(address)
    };
    Ok((kind.to_ascii_lowercase(), decoded.ok_or(BAD)?))
}

/// Decodes xtext (RFC 3461 section 4); what it stands for must be printable ASCII.
fn xtext(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'+' => {
                let high = hex(octets.next()?)?;
                decoded.push(high << 4 | hex(octets.next()?)?);
            }
            b'!'..=b'~' if octet != b'=' => decoded.push(octet),
            _ => return None,
        }
    }
    let decoded = String::from_utf8(decoded).ok()?;
    (decoded.is_ascii() && !decoded.contains(char::is_control)).then_some(decoded)
}

/// The three forms of a utf-8 address (RFC 6533 section 3): `\x{HEX}`, plain UTF-8, and xtext.
fn utf8_xtext(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(embedded) = rest.strip_prefix("\\x{") {
            let (digits, after) = embedded.split_once('}')?;
            decoded.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            rest = after;
        } else if let Some(coded) = rest.strip_prefix('+') {
            let (digits, after) = coded.split_at_checked(2)?;
            decoded.push_str(&xtext(&format!("+{digits}"))?);
            rest = after;
        } else {
            decoded.push(c);
            rest = rest.get(c.len_utf8()..)?;
        }
    }
    (!decoded.contains(char::is_control)).then_some(decoded)
}

const fn hex(digit: u8) -> Option<u8> {
    // RFC 3461 section 4: upper case only, but there is no other way to take lower case either.
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mail_may_be_given() {
        let read = MailParameters::parse(
            " size=1000 BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=QQ+2B+3D AUTH=<>",
        );
        let expected = MailParameters {
            size: Some(1000),
            body: Some(Body::EightBit),
            smtputf8: true,
            ret: Some(Ret::Headers),
            envid: Some("QQ+=".to_string()),
            auth: true,
            wide: false,
        };
        assert_eq!(read, Ok(expected));
        let huge = MailParameters::parse(" SIZE=99999999999999999999").unwrap();
        assert_eq!(huge.size, Some(u64::MAX));
        assert!(MailParameters::parse("  ").unwrap().is_empty());
    }

    #[test]
    fn what_rcpt_may_be_given() {
        let read =
            RcptParameters::parse(" NOTIFY=success,DELAY ORCPT=rfc822;a+2Bb@c.test").unwrap();
        let notify = read.notify.unwrap();
        assert!(notify.success && notify.delay && !notify.failure);
        let orcpt = ("rfc822".to_string(), "a+b@c.test".to_string());
        assert_eq!(read.orcpt, Some(orcpt));
        let never = RcptParameters::parse(" NOTIFY=NEVER").unwrap();
        assert_eq!(never.notify, Some(Notify::default()));
        let utf8 = RcptParameters::parse(" ORCPT=utf-8;j\\x{FC}rgen@c.test").unwrap();
        assert_eq!(utf8.orcpt.unwrap().1, "jürgen@c.test");
    }

    #[test]
    fn malformed_and_doubled_parameters_are_501_and_unknown_ones_555() {
        for (text, code) in [
            (" SIZE", 501),
            (" SIZE=", 501),
            (" SIZE=-1", 501),
            (" SIZE=1x", 501),
            (" SIZE=123456789012345678901", 501),
            (" SIZE=1 SIZE=1", 501),
            (" BODY=9BIT", 501),
            (" BODY=BINARYMIME", 501),
            (" BODY", 501),
            (" SMTPUTF8=1", 501),
            (" SMTPUTF8 SMTPUTF8", 501),
            (" RET=SOME", 501),
            (" ENVID=a+0D+0Ab", 501),
            (" ENVID=a+C3+A9", 501),
            (" ENVID=a+0", 501),
            (" ENVID=a=b", 501),
            (" AUTH", 501),
            (" AUTH=a+ZZ", 501),
            ("SIZE=1", 501),
            (" =1", 501),
            (" -a", 501),
            (" a_b=1", 501),
            (" FOO", 555),
            (" FOO=1", 555),
            (" NOTIFY=NEVER", 555),
        ] {
            let code_of = MailParameters::parse(text).unwrap_err().code;
            assert_eq!(code_of, code, "{text}");
        }
        for (text, code) in [
            (" NOTIFY=", 501),
            (" NOTIFY=NEVER,SUCCESS", 501),
            (" NOTIFY=SOON", 501),
            (" NOTIFY=SUCCESS NOTIFY=SUCCESS", 501),
            (" ORCPT=a@b.test", 501),
            (" ORCPT=;a@b.test", 501),
            (" ORCPT=rfc822;", 501),
            (" ORCPT=rfc822;a+0Ab", 501),
            (" ORCPT", 501),
            (" RET=FULL", 555),
            (" SIZE=1", 555),
        ] {
            let code_of = RcptParameters::parse(text).unwrap_err().code;
            assert_eq!(code_of, code, "{text}");
        }
        let long = format!(" ENVID={}", "x".repeat(101));
        assert_eq!(MailParameters::parse(&long).unwrap_err().code, 501);
        let long = format!(" ORCPT=rfc822;{}", "x".repeat(500));
        assert_eq!(RcptParameters::parse(&long).unwrap_err().code, 501);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "[ =+;,\\\\x{}A-F0-9é]{0,40}|\\PC{0,40}") {
            let _ = MailParameters::parse(&text);
            let _ = RcptParameters::parse(&text);
            let _ = (xtext(&text), utf8_xtext(&text), orcpt(&text));
        }
    }
}
