//! Days of the calendar, in UTC.

const DAY: u64 = 86_400;

/// Year, month and day of a time in seconds since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn day(seconds: u64) -> (u64, u64, u64) {
    let shifted = seconds / DAY + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The day of a time, such as `2024-05-17`.
pub fn date(seconds: u64) -> String {
    let (year, month, day) = day(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The first day of the month after a time.
pub fn next_month(seconds: u64) -> String {
    match day(seconds) {
        (year, 12, _) => format!("{:04}-01-01", year + 1),
        (year, month, _) => format!("{year:04}-{:02}-01", month + 1),
    }
}

/// The first day of the month after a date such as `2024-05-17`, whatever follows it.
pub fn month_after(date: &str) -> Option<String> {
    let mut parts = date.split('-');
    let (year, month) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    match month {
        12 => Some(format!("{:04}-01-01", year + 1)),
        1..12 => Some(format!("{year:04}-{:02}-01", month + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_709_251_199), "2024-02-29");
        assert_eq!(next_month(1_709_251_199), "2024-03-01");
        assert_eq!(month_after("2023-12-31T23:59:59Z").as_deref(), Some("2024-01-01"));
        assert_eq!(month_after("soon"), None);
        assert_eq!(next_month(1_735_603_200), "2025-01-01");
    }
}
