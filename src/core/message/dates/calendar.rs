//! The words of dates in several languages and notations, and the Gregorian calendar.

use super::Zone;

pub(super) const WEEKDAYS: [&[u8]; 7] = [
    b"sunday",
    b"monday",
    b"tuesday",
    b"wednesday",
    b"thursday",
    b"friday",
    b"saturday",
];
pub(super) const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

/// How months begin in German, Dutch, French, Italian, Spanish and Portuguese, where that differs.
pub(super) const FOREIGN_MONTHS: [(&[u8; 3], i64); 18] = [
    (b"ene", 1),
    (b"gen", 1),
    (b"fev", 2),
    (b"mrz", 3),
    (b"mrt", 3),
    (b"abr", 4),
    (b"avr", 4),
    (b"mai", 5),
    (b"mei", 5),
    (b"mag", 5),
    (b"giu", 6),
    (b"lug", 7),
    (b"ago", 8),
    (b"set", 9),
    (b"okt", 10),
    (b"ott", 10),
    (b"dez", 12),
    (b"dic", 12),
];

/// The place of a name, whole or cut to three letters or more, in a list of names.
pub(super) fn named(word: &[u8], names: &[&[u8]]) -> Option<i64> {
    if word.len() < 3 {
        return None;
    }
    let at = names.iter().position(|name| {
        name.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    })?;
    i64::try_from(at).ok()
}

/// RFC 5322 §4.3: these names have values; all others mean several zones (IST, BST, CST in China),
/// and the military letters were given with the wrong sign in RFC 822.
pub(super) fn zone_of(name: &[u8]) -> Option<Zone> {
    const NAMES: [(&[u8], i16); 12] = [
        (b"UT", 0),
        (b"UTC", 0),
        (b"GMT", 0),
        (b"Z", 0),
        (b"EST", -5),
        (b"EDT", -4),
        (b"CST", -6),
        (b"CDT", -5),
        (b"MST", -7),
        (b"MDT", -6),
        (b"PST", -8),
        (b"PDT", -7),
    ];
    if let Some((_, hours)) = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        return Some(Zone::Offset(hours * 60));
    }
    // What follows a date in a trace may be a clause (`ID`, `FOR`) rather than a zone.
    let clause: [&[u8]; 6] = [b"ID", b"FOR", b"BY", b"WITH", b"VIA", b"FROM"];
    let zone = (1..=5).contains(&name.len())
        && name.iter().all(u8::is_ascii_uppercase)
        && !clause.contains(&name);
    zone.then_some(Zone::Unknown)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` when there is no such day.
/// (After Howard Hinnant, "chrono-compatible low-level date algorithms".)
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    (1..=length).contains(&day).then_some(())?;
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The reverse of [`days`].
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}
