//! Outlook's .msg files (MS-OXMSG): a compound file with one stream for each property, one
//! storage for each recipient and attachment.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use cfb::CompoundFile;

use crate::message::inner::container::{Attachment, MAX_EMBEDDED, Note, Props, id, kind};
use crate::message::layer::{Layer, Wrap};

const SIGNATURE: [u8; 8] = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

/// More streams and storages than this are not opened.
const MAX_ENTRIES: usize = 20_000;

type File<'b> = CompoundFile<Cursor<&'b [u8]>>;

struct Reader<'b> {
    file: File<'b>,
    /// How many bytes may still be read: forged streams may all share one piece of the file.
    bytes: u64,
    entries: usize,
}

/// Reads a .msg file; `None` when `bytes` are none.
pub(crate) fn read(bytes: &[u8]) -> Option<Layer<'static>> {
    if !bytes.starts_with(&SIGNATURE) {
        return None;
    }
    let file = CompoundFile::open(Cursor::new(bytes)).ok()?;
    let budget = u64::try_from(bytes.len()).ok()?.saturating_mul(2);
    let mut reader = Reader {
        file,
        bytes: budget,
        entries: MAX_ENTRIES,
    };
    // Other programs keep their documents in such files too.
    let note = reader.note(Path::new("/"), 32, MAX_EMBEDDED)?;
    Some(note.into_layer(Wrap::Msg))
}

impl Reader<'_> {
    fn note(&mut self, storage: &Path, fixed: usize, depth: usize) -> Option<Note> {
        let mut note = Note {
            props: self.props(storage, fixed)?,
            ..Note::default()
        };
        let page = note.props.code_page;
        for (name, path) in self.storages(storage) {
            if name.starts_with("__recip_version1.0_") {
                let mut props = self.props(&path, 8).unwrap_or_default();
                props.code_page = page;
                note.recipients.push(props);
            } else if name.starts_with("__attach_version1.0_") {
                let mut props = self.props(&path, 8).unwrap_or_default();
                props.code_page = page;
                let data = props.bytes(id::ATTACH_DATA).unwrap_or_default().to_vec();
                let inner = path.join(format!(
                    "__substg1.0_{:04X}{:04X}",
                    id::ATTACH_DATA,
                    kind::OBJECT
                ));
                let embedded = (depth > 0 && self.file.is_storage(&inner))
                    .then(|| self.note(&inner, 24, depth - 1))
                    .flatten()
                    .map(|note| note.into_layer(Wrap::Attached));
                note.attachments.push(Attachment {
                    props,
                    data,
                    embedded,
                });
            }
        }
        Some(note)
    }

    fn storages(&mut self, storage: &Path) -> Vec<(String, PathBuf)> {
        let Ok(entries) = self.file.read_storage(storage) else {
            return Vec::new();
        };
        entries
            .take(MAX_ENTRIES)
            .filter(cfb::Entry::is_storage)
            .map(|entry| (entry.name().to_owned(), storage.join(entry.name())))
            .collect()
    }

    /// The properties of a storage: those with a stream of their own, and the fixed ones, which
    /// stand in a table behind a header of `fixed` bytes.
    fn props(&mut self, storage: &Path, fixed: usize) -> Option<Props> {
        let entries = self.file.read_storage(storage).ok()?;
        let names: Vec<String> = entries
            .take(MAX_ENTRIES)
            .filter(cfb::Entry::is_stream)
            .map(|entry| entry.name().to_owned())
            .collect();
        let mut props = Props {
            code_page: 1_252,
            ..Props::default()
        };
        let mut is_msg = false;
        for name in names {
            if name == "__properties_version1.0" {
                is_msg = true;
                let table = self.stream(&storage.join(&name)).unwrap_or_default();
                fixed_props(table.get(fixed..).unwrap_or_default(), &mut props);
            } else if let Some((id, kind)) = tag(&name) {
                is_msg = true;
                let bytes = self.stream(&storage.join(&name)).unwrap_or_default();
                props.all.push((id, kind, bytes));
            }
        }
        is_msg.then_some(props)
    }

    fn stream(&mut self, path: &Path) -> Option<Vec<u8>> {
        self.entries = self.entries.checked_sub(1)?;
        let mut bytes = Vec::new();
        let stream = self.file.open_stream(path).ok()?;
        // What was read before an error is kept: the file may be cut.
        let _ = stream.take(self.bytes).read_to_end(&mut bytes);
        self.bytes = self.bytes.saturating_sub(u64::try_from(bytes.len()).ok()?);
        Some(bytes)
    }
}

/// `__substg1.0_0037001F`: the property and its type.
fn tag(name: &str) -> Option<(u16, u16)> {
    let digits = name
        .strip_prefix("__substg1.0_")
        .filter(|digits| digits.len() == 8)?;
    let number = |range| u16::from_str_radix(digits.get(range)?, 16).ok();
    Some((number(0..4)?, number(4..8)?))
}

/// Entries of 16 bytes: type, property, flags, value.
fn fixed_props(table: &[u8], props: &mut Props) {
    for entry in table.chunks_exact(16).take(MAX_ENTRIES) {
        let [t0, t1, i0, i1, _, _, _, _, value @ ..] = entry else {
            continue;
        };
        let (type_, id) = (
            u16::from_le_bytes([*t0, *t1]),
            u16::from_le_bytes([*i0, *i1]),
        );
        if type_ == kind::TIME || (type_ == kind::LONG && id == id::INTERNET_PAGE) {
            props.all.push((id, type_, value.to_vec()));
        } else if type_ == kind::LONG && id == id::CODE_PAGE {
            let page = value
                .get(..4)
                .and_then(|v| v.try_into().ok())
                .map(u32::from_le_bytes);
            props.code_page = page.unwrap_or(props.code_page);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn file(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for (path, bytes) in streams {
            let parent = Path::new(path).parent().unwrap();
            file.create_storage_all(parent).unwrap();
            file.create_stream(path).unwrap().write_all(bytes).unwrap();
        }
        file.into_inner().into_inner()
    }

    #[test]
    fn a_message_with_an_embedded_one_is_read() {
        let attach = "/__attach_version1.0_#00000000/__substg1.0_3701000D";
        let bytes = file(&[
            ("/__properties_version1.0", vec![0; 32]),
            ("/__substg1.0_0037001F", wide("FW: x")),
            ("/__substg1.0_1000001F", wide("see below")),
            (&format!("{attach}/__properties_version1.0"), vec![0; 24]),
            (&format!("{attach}/__substg1.0_1000001F"), wide("it failed")),
        ]);
        let layer = read(&bytes).unwrap();
        assert_eq!(layer.head.get("Subject").unwrap(), "FW: x");
        assert_eq!(layer.blocks[0].text(), "see below");
        assert_eq!(layer.inner()[0].blocks[0].text(), "it failed");
    }

    #[test]
    fn the_words_that_outlook_keeps_of_a_report_become_a_delivery_status() {
        let recipient = "/__recip_version1.0_#00000000";
        let words = "<mx.example.com #5.1.1 smtp; 550 5.1.1 User unknown>";
        let bytes = file(&[
            ("/__properties_version1.0", vec![0; 32]),
            (
                &format!("{recipient}/__substg1.0_39FE001F"),
                wide("a@example.com"),
            ),
            (&format!("{recipient}/__substg1.0_0C1B001F"), wide(words)),
        ]);
        let layer = read(&bytes).unwrap();
        assert_eq!(
            layer.blocks[0].text(),
            "Final-Recipient: rfc822; a@example.com\nAction: failed\n\
             Diagnostic-Code: smtp; 550 5.1.1 User unknown\nStatus: 5.1.1\n\
             Remote-MTA: dns; mx.example.com\n\n"
        );
    }

    #[test]
    fn html_is_read_in_the_code_page_of_the_internet() {
        // MS-OXCMSG §2.2.1.58: PidTagHtml is in PidTagInternetCodepage.
        let mut table = vec![0; 32];
        table.extend([0x03, 0x00, 0xDE, 0x3F, 6, 0, 0, 0]);
        table.extend(65_001u64.to_le_bytes());
        let bytes = file(&[
            ("/__properties_version1.0", table),
            ("/__substg1.0_10130102", "<p>für</p>".as_bytes().to_vec()),
        ]);
        assert_eq!(read(&bytes).unwrap().blocks[0].text(), "für\n");
    }

    #[test]
    fn a_report_of_delivery_is_no_report_of_failure() {
        let status = |class: &str, words: &str| {
            let recipient = "/__recip_version1.0_#00000000";
            let bytes = file(&[
                ("/__properties_version1.0", vec![0; 32]),
                ("/__substg1.0_001A001F", wide(class)),
                (
                    &format!("{recipient}/__substg1.0_39FE001F"),
                    wide("a@b.test"),
                ),
                (&format!("{recipient}/__substg1.0_0C1B001F"), wide(words)),
            ]);
            read(&bytes).unwrap().blocks[0].text().to_owned()
        };
        let failed = status(
            "REPORT.IPM.Note.NDR",
            "#< #5.1.1 smtp; 550 5.1.1 User unknown> #SMTP#",
        );
        assert_eq!(
            failed,
            "Final-Recipient: rfc822; a@b.test\nAction: failed\n\
             Diagnostic-Code: smtp; 550 5.1.1 User unknown\nStatus: 5.1.1\n\n"
        );
        let delivered = status("REPORT.IPM.Note.DR", "<mx.b.test #2.0.0 smtp;250 2.0.0 OK>");
        assert!(delivered.contains("\nAction: delivered\n"), "{delivered}");
        let relayed = status("REPORT.IPM.Note.Relayed.DR", "<mx.b.test #2.0.0>");
        assert!(relayed.contains("\nAction: relayed\n"), "{relayed}");
    }

    #[test]
    fn other_compound_files_and_damaged_ones_are_none() {
        assert!(read(&file(&[("/WordDocument", vec![1; 100])])).is_none());
        let bytes = file(&[("/__substg1.0_1000001F", wide("text"))]);
        for len in (0..bytes.len()).step_by(97) {
            let _ = read(&bytes[..len]);
        }
    }
}
