//! The day on which a form of the book was made: that of its commit, so that the same commit makes the
//! same files.

use pages::{Project, provenance};
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year, month (from 1) and day (from 1).
    pub day: (i64, u8, u8),
    /// The hour, minute and second.
    pub time: (u8, u8, u8),
}

impl Date {
    /// When the commit was made that the book's folder is at; now, where it is no git repository.
    pub fn of(project: &Project) -> Self {
        let committed = provenance::git(project, &["show", "--no-patch", "--format=%ct", "HEAD"]);
        let seconds = committed.and_then(|text| text.trim().parse().ok());
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs().cast_signed())
        };
        Self::from_unix(seconds.unwrap_or_else(now))
    }

    /// The moment so many seconds after 1970 began.
    pub fn from_unix(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years that begin in March, in eras of 400 years: the leap day comes last.
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + 400 * era + i64::from(month <= 2);
        // Each is far below 256.
        let small = |number: i64| u8::try_from(number).unwrap_or_default();
        Self {
            day: (year, small(month), small(day)),
            time: (small(rest / 3_600), small(rest / 60 % 60), small(rest % 60)),
        }
    }

    /// The day: `2026-11-23`.
    pub fn day(&self) -> String {
        let (year, month, day) = self.day;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The moment: `2026-11-23T04:05:06Z`.
    pub fn moment(&self) -> String {
        let (hour, minute, second) = self.time;
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.day())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_as_a_date() {
        for (seconds, moment) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Date::from_unix(seconds).moment(), moment);
        }
    }
}
