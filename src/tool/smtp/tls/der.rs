//! Just enough DER (X.690 §8, §10) to show what is in a certificate. Whether it is genuine is
//! decided by webpki on the same bytes, never by what is read here.

/// Tags that certificates are made of.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const OID: u8 = 0x06;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;
}

/// One element: its tag, its content and all of it with the header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    pub(super) whole: &'d [u8],
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'d>(pub(super) &'d [u8]);

impl<'d> Reader<'d> {
    /// The next element, whatever it is.
    pub(super) fn next(&mut self) -> Option<Element<'d>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags above 30 and indefinite lengths do not occur in certificates.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            let length = bytes.iter().fold(0, |n, &b| n << 8 | usize::from(b));
            (length, rest)
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Element {
            tag,
            content,
            whole,
        })
    }

    /// The next element when it has this tag; otherwise nothing is taken.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'d>> {
        let mut ahead = *self;
        let element = ahead.next().filter(|e| e.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// Steps into the next element, which has to have this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(|e| Self(e.content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_both_forms_and_never_beyond_the_end() {
        let long = [&[4, 0x82, 1, 0][..], &[7; 256], &[5, 0]].concat();
        let mut reader = Reader(&long);
        assert_eq!(reader.next().unwrap().content.len(), 256);
        assert_eq!(reader.take(4).map(|e| e.tag), None);
        assert_eq!(reader.next().unwrap().whole, [5, 0]);
        assert!(reader.next().is_none());
        for bad in [
            &[4, 2, 1][..],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 1],
            &[0x1f, 1, 0],
        ] {
            assert!(Reader(bad).next().is_none(), "{bad:?}");
        }
    }
}
