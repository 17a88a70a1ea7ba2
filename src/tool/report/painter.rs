//! How the output may look: colour, glyphs and width are decided once, at the start.

use std::io::IsTerminal;

use owo_colors::Style as Ansi;

/// What a piece of text is, so that its colour can be chosen. Colour supports, it never carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// A failure.
    Bad,
    /// It will pass, or wants attention.
    Passing,
    /// Good news.
    Good,
    /// A detail for those who want it.
    Dim,
    /// A verdict or a label.
    Strong,
}

/// A sign beside a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// Failed.
    Cross,
    /// Passing, or a warning.
    Bang,
    /// Good.
    Check,
    /// Not known.
    Question,
    /// From one place to the next.
    Arrow,
    /// Something was cut off.
    Ellipsis,
    /// Between two things on one line.
    Dot,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// On a terminal that can, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The look of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Painter {
    /// Whether ANSI colours are written.
    pub color: bool,
    /// Whether more than ASCII may be written.
    pub unicode: bool,
    /// The columns there are.
    pub width: usize,
}

/// Less than this cannot be laid out; lines then run over.
const MIN_WIDTH: usize = 30;

/// The columns where no terminal tells.
const DEFAULT_WIDTH: usize = 80;

impl Painter {
    /// Decides for standard output: the flag, then the environment, then the terminal itself.
    pub fn for_stdout(when: When, width: Option<usize>) -> Self {
        let stdout = std::io::stdout();
        Self::decide(
            when,
            width,
            stdout.is_terminal(),
            || terminal_size::terminal_size_of(&stdout).map(|(w, _)| usize::from(w.0)),
            |name| std::env::var(name).ok(),
        )
    }

    /// The decision itself, free of the world.
    pub fn decide(
        when: When,
        width: Option<usize>,
        is_terminal: bool,
        columns: impl FnOnce() -> Option<usize>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let color = match when {
            When::Always => true,
            When::Never => false,
            // no-color.org: any value that is not empty counts, and wins over the wish to force.
            When::Auto if set("NO_COLOR").is_some() => false,
            When::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            When::Auto => is_terminal && env("TERM").is_none_or(|term| term != "dumb"),
        };
        // The first of the three that is set decides (POSIX 8.2). None set says nothing about
        // the terminal, and terminals are UTF-8 today.
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        let unicode = locale.is_none_or(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        });
        let columns = if is_terminal { columns() } else { None };
        let width = width
            .or(columns.filter(|&w| w > 0))
            .unwrap_or(DEFAULT_WIDTH)
            .max(MIN_WIDTH);
        Self {
            color,
            unicode,
            width,
        }
    }

    /// Plain text of a width, for files and tests.
    pub const fn plain(width: usize) -> Self {
        Self {
            color: false,
            unicode: true,
            width,
        }
    }

    /// The sign, or its ASCII stand-in.
    pub const fn glyph(self, glyph: Glyph) -> &'static str {
        match (glyph, self.unicode) {
            (Glyph::Cross, true) => "✗",
            (Glyph::Cross, false) => "x",
            (Glyph::Bang, _) => "!",
            (Glyph::Check, true) => "✓",
            (Glyph::Check, false) => "+",
            (Glyph::Question, _) => "?",
            (Glyph::Arrow, true) => "→",
            (Glyph::Arrow, false) => "->",
            (Glyph::Ellipsis, true) => "…",
            (Glyph::Ellipsis, false) => "...",
            (Glyph::Dot, true) => "·",
            (Glyph::Dot, false) => "-",
        }
    }

    /// Appends `text`, which is already safe, in its style.
    pub fn paint(self, out: &mut String, style: Style, text: &str) {
        let ansi = match style {
            _ if !self.color || text.is_empty() => None,
            Style::Plain => None,
            Style::Bad => Some(Ansi::new().red().bold()),
            Style::Passing => Some(Ansi::new().yellow().bold()),
            Style::Good => Some(Ansi::new().green().bold()),
            Style::Dim => Some(Ansi::new().dimmed()),
            Style::Strong => Some(Ansi::new().bold()),
        };
        match ansi {
            Some(ansi) => {
                use std::fmt::Write as _;
                let _ = write!(out, "{}", ansi.style(text));
            }
            None => out.push_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(when: When, terminal: bool, env: &[(&str, &str)]) -> Painter {
        Painter::decide(
            when,
            None,
            terminal,
            || Some(132),
            |name| {
                env.iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| (*v).to_owned())
            },
        )
    }

    #[test]
    fn colour_is_for_terminals_unless_told_otherwise() {
        assert!(decide(When::Auto, true, &[]).color);
        assert!(!decide(When::Auto, false, &[]).color);
        assert!(decide(When::Always, false, &[("NO_COLOR", "1")]).color);
        assert!(!decide(When::Never, true, &[("CLICOLOR_FORCE", "1")]).color);
    }

    #[test]
    fn the_environment_decides_between() {
        assert!(!decide(When::Auto, true, &[("NO_COLOR", "1")]).color);
        assert!(decide(When::Auto, true, &[("NO_COLOR", "")]).color);
        assert!(decide(When::Auto, false, &[("CLICOLOR_FORCE", "1")]).color);
        assert!(!decide(When::Auto, false, &[("CLICOLOR_FORCE", "0")]).color);
        assert!(!decide(When::Auto, true, &[("TERM", "dumb")]).color);
        assert!(
            !decide(
                When::Auto,
                true,
                &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]
            )
            .color
        );
    }

    #[test]
    fn signs_are_ascii_where_the_locale_is() {
        assert!(decide(When::Auto, true, &[("LANG", "de_DE.UTF-8")]).unicode);
        assert!(
            !decide(
                When::Auto,
                true,
                &[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]
            )
            .unicode
        );
        assert!(decide(When::Auto, true, &[]).unicode);
        for glyph in [
            Glyph::Cross,
            Glyph::Check,
            Glyph::Arrow,
            Glyph::Ellipsis,
            Glyph::Dot,
        ] {
            let ascii = Painter {
                unicode: false,
                ..Painter::plain(80)
            };
            assert!(ascii.glyph(glyph).is_ascii());
        }
    }

    #[test]
    fn the_width_is_the_flag_then_the_terminal_then_80() {
        assert_eq!(decide(When::Auto, true, &[]).width, 132);
        assert_eq!(decide(When::Auto, false, &[]).width, 80);
        let flag = Painter::decide(When::Auto, Some(60), true, || Some(132), |_| None);
        assert_eq!(flag.width, 60);
    }
}
