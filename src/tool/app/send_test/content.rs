//! From the flags to the message: files are read here.

use std::io::Read;
use std::path::Path;

use chrono::Utc;

use crate::cli::send_test::Content;
use crate::send::Token;
use crate::send::chain::play::Wish;
use crate::send::compose::{Attachment, Draft};
use crate::send::hand_over::Needs;

/// The largest file that is sent along.
const LARGEST: u64 = 256 << 20;

/// What the user wants to send.
pub(super) fn wish(content: &Content) -> Result<Wish, String> {
    let token = Token::new().ok_or("this machine gives no random numbers")?;
    let mut attachments = Vec::new();
    for text in &content.attach {
        attachments.push(attachment(text)?);
    }
    let body = content.body.as_deref().map(read).transpose()?;
    let whole = content.data.as_deref().map(whole).transpose()?;
    Ok(Wish {
        draft: Draft {
            token,
            host: String::new(),
            from: String::new(),
            to: Vec::new(),
            subject: content
                .subject
                .clone()
                .unwrap_or_else(|| "a test message".to_string()),
            body,
            html: content.html.as_deref().map(read).transpose()?,
            whole,
            eight_bit: content.eight_bit,
            fields: content.header.clone(),
            attachments,
            eicar: content.eicar,
            gtube: content.gtube,
            size: content.size,
            now: Utc::now(),
        },
        ret: content.ret,
        envid: content.envid.clone(),
        notify: content.notify.clone(),
        needs: Needs {
            chunking: content.bdat,
            eight_bit: content.eight_bit,
            require_tls: content.require_tls,
        },
        both: false,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let size = std::fs::metadata(path).map(|m| m.len()).unwrap_or_default();
    if size > LARGEST {
        return Err(too_large(&name.to_string()));
    }
    std::fs::read(path).map_err(|e| format!("{name}: {}; check the path", crate::words::reason(&e)))
}

fn too_large(name: &str) -> String {
    format!("{name}: larger than 256 MiB; send a smaller file")
}

/// A whole message: it has to begin with a header, or what is sent is no mail.
fn whole(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let octets = if path == Path::new("-") {
        let mut octets = Vec::new();
        let mut input = std::io::stdin().lock().take(LARGEST + 1);
        let done = input.read_to_end(&mut octets);
        done.map_err(|e| format!("standard input: {}", crate::words::reason(&e)))?;
        // Half a message must not go out as if it were whole.
        if octets.len() as u64 > LARGEST {
            return Err(too_large("standard input"));
        }
        octets
    } else {
        read(path)?
    };
    let first = octets.split(|b| *b == b'\n').next().unwrap_or_default();
    let field = first.iter().position(|b| *b == b':');
    let named = field.is_some_and(|at| {
        let name = first.get(..at).unwrap_or_default();
        !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
    });
    if named {
        Ok(octets)
    } else {
        Err(format!(
            "{name}: this is no mail message (no header at its start); for a text alone use --body"
        ))
    }
}

/// `FILE`, `FILE:TYPE`, `FILE:TYPE:NAME`; a file whose name has a colon is found, too.
fn attachment(text: &str) -> Result<Attachment, String> {
    let mut parts = text.splitn(3, ':');
    let (path, media, name) = if Path::new(text).exists() {
        (text, None, None)
    } else {
        (parts.next().unwrap_or_default(), parts.next(), parts.next())
    };
    let path = Path::new(path);
    let content = read(path)?;
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.map_or_else(|| own.into_owned(), str::to_string);
    let media = match media.filter(|m| !m.is_empty()) {
        Some(media) => media.to_ascii_lowercase(),
        None => guess(&name).to_string(),
    };
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
    };
    match media.split_once('/') {
        Some((kind, sub)) if word(kind) && word(sub) => {}
        _ => {
            return Err(format!(
                "--attach: \"{media}\" is no media type; write one such as text/plain"
            ));
        }
    }
    Ok(Attachment {
        name,
        media,
        content,
    })
}

/// The media type that a name tells.
fn guess(name: &str) -> &'static str {
    let end = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match end.as_str() {
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "html" | "htm" => "text/html",
        // In base64 the charset of a text is nobody's business.
        "txt" | "log" | "csv" => "text/plain",
        "ics" => "text/calendar",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn attached(text: &str) -> Result<(String, String, Vec<u8>), String> {
        attachment(text).map(|one| (one.name, one.media, one.content))
    }

    #[test]
    fn an_attachment_has_the_type_and_name_that_were_given_or_those_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Report.PDF");
        fs::write(&file, "%PDF").unwrap();
        let path = file.to_str().unwrap();
        for (more, media, name) in [
            ("", "application/pdf", "Report.PDF"),
            (":Text/Plain", "text/plain", "Report.PDF"),
            (":image/svg+xml:a:b.svg", "image/svg+xml", "a:b.svg"),
            // The type is that of the name under which it goes.
            ("::notes.txt", "text/plain", "notes.txt"),
            ("::noting", "application/octet-stream", "noting"),
        ] {
            let got = attached(&format!("{path}{more}")).unwrap();
            let want = (name.to_owned(), media.to_owned(), b"%PDF".to_vec());
            assert_eq!(got, want, "{more}");
        }
        let odd = dir.path().join("a:b.ics");
        fs::write(&odd, "x").unwrap();
        let got = attached(odd.to_str().unwrap()).unwrap();
        assert_eq!(
            (got.0.as_str(), got.1.as_str()),
            ("a:b.ics", "text/calendar")
        );
    }

    #[test]
    fn what_is_no_media_type_cannot_become_a_field_of_the_message() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        fs::write(&file, "x").unwrap();
        for media in [
            "text",
            "text/",
            "/plain",
            "text/pl ain",
            "text/plain\r\nBcc/x",
            "a/b/c",
        ] {
            let got = attached(&format!("{}:{media}", file.display()));
            assert!(got.unwrap_err().contains("is no media type"), "{media}");
        }
        let missing = attached("/no/such/file:text/plain").unwrap_err();
        assert!(missing.starts_with("/no/such/file: "), "{missing}");
        assert!(missing.ends_with("check the path"), "{missing}");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        let file = fs::File::create(&path).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        let why = read(&path).unwrap_err();
        assert!(
            why.ends_with("larger than 256 MiB; send a smaller file"),
            "{why}"
        );
    }

    #[test]
    fn a_whole_message_begins_with_a_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail");
        for (text, good) in [
            ("From: a@b.test\n\nx\n", true),
            ("X-Y:\r\n\r\n", true),
            ("", false),
            (": no name\n", false),
            ("Dear Bob: hello\n", false),
            (
                "From a@b.test Mon Nov 22 10:00:00 2026\nFrom: a@b.test\n",
                false,
            ),
            ("\nFrom: a@b.test\n", false),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(whole(&path).is_ok(), good, "{text:?}");
        }
    }
}
