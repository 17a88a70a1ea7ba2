//! What was left out of a very long message, so that evidence still names the right line.

/// Lines that were left out while reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineGaps {
    /// (number of lines kept before the gap, lines left out there), rising.
    gaps: Vec<(u32, u32)>,
}

impl LineGaps {
    /// The line of the message as it came for a line of what was kept, both from 1.
    pub fn original(&self, line: u32) -> u32 {
        let before = self.gaps.iter().take_while(|(kept, _)| *kept < line);
        before.fold(line, |line, (_, dropped)| line.saturating_add(*dropped))
    }

    /// True when nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    pub(super) fn drop_line(&mut self, kept: u32) {
        match self.gaps.last_mut() {
            Some((at, dropped)) if *at == kept => *dropped += 1,
            _ => self.gaps.push((kept, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_behind_a_gap_keep_their_number() {
        let mut gaps = LineGaps::default();
        for kept in [2, 2, 2, 5] {
            gaps.drop_line(kept);
        }
        assert_eq!(
            [1, 2, 3, 5, 6].map(|line| gaps.original(line)),
            [1, 2, 6, 8, 10]
        );
    }
}
