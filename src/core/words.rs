//! Words that every room needs: why the system refused, and how far a mistyped word is from one
//! that was meant. It imports nothing.

/// An error of the operating system in a few words.
pub fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "this is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "this is not text".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or_default()
                .to_lowercase()
        }
    }
}

/// How many letters are to be changed, added or left out (Levenshtein).
pub fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(x != y))
                .min(*slot + 1)
                .min(left + 1);
            diagonal = std::mem::replace(slot, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_changed_added_and_missing_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("quota", "quota"), 0);
        assert_eq!(distance("größe", "grosse"), 3);
    }

    #[test]
    fn a_reason_is_a_sentence_without_the_number_of_the_system() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(reason(&denied), "permission denied");
        let full = std::io::Error::from_raw_os_error(28);
        assert_eq!(reason(&full), "no space left on device");
    }
}
