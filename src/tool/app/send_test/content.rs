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
