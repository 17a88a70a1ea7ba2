//! What is worth telling: one sentence about one thing, and what to do about it.

pub use crate::severity::Severity;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for scripts: kebab-case, stable.
    pub code: &'static str,
    /// What it is about: a domain, a server, an address.
    pub subject: String,
    /// What was found, in a sentence.
    pub text: String,
    /// What to do, and who; empty when there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// A finding.
    pub fn new(
        severity: Severity,
        code: &'static str,
        subject: &(impl ToString + ?Sized),
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            subject: subject.to_string(),
            text: text.into(),
            advice: advice.into(),
        }
    }
}

/// Collects findings about one subject.
#[derive(Debug)]
pub struct Notes<'s> {
    subject: &'s str,
    /// What was found so far.
    pub list: Vec<Finding>,
}

impl<'s> Notes<'s> {
    /// No findings yet.
    pub const fn about(subject: &'s str) -> Self {
        Self {
            subject,
            list: Vec::new(),
        }
    }

    /// Good to know.
    pub fn info(&mut self, code: &'static str, text: impl Into<String>, advice: &str) {
        self.add(Severity::Info, code, text, advice);
    }

    /// Will hurt somebody.
    pub fn warning(&mut self, code: &'static str, text: impl Into<String>, advice: &str) {
        self.add(Severity::Warning, code, text, advice);
    }

    /// Broken.
    pub fn error(&mut self, code: &'static str, text: impl Into<String>, advice: &str) {
        self.add(Severity::Error, code, text, advice);
    }

    fn add(&mut self, s: Severity, code: &'static str, text: impl Into<String>, advice: &str) {
        self.list
            .push(Finding::new(s, code, self.subject, text, advice));
    }
}
