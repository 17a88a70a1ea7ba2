//! Results as pages: one file that needs nothing from elsewhere, with no scripts at all.

pub mod route;

use std::borrow::Cow;

use crate::report::safe;

/// Makes foreign text fit for a page: markup is shown, not obeyed, and so is everything that
/// would hide or turn the reading direction.
pub fn escape(text: &str) -> Cow<'_, str> {
    let text = safe::safe(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_and_not_obeyed() {
        assert_eq!(
            escape("<script>alert('x & \"y\"')</script>\u{202E}"),
            "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;\\u{202E}"
        );
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }
}
