//! Dates for templates.

use minijinja::{Error, ErrorKind};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// `strftime` of a moment, in seconds since 1970 (UTC): `%Y %y %m %d %e %j %B %b %A %a %H %M %S %%`.
pub(super) fn format(now: u64, format: &str) -> Result<String, Error> {
    let (days, second) = (now / 86_400, now % 86_400);
    let (year, month, day) = civil(days);
    let (from_new_year, weekday) = (days - days_before(year), DAYS[(days % 7 + 4) as usize % 7]);
    let mut out = String::new();
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            out.push(sign);
            continue;
        }
        out += &match signs.next() {
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('m') => format!("{month:02}"),
            Some('d') => format!("{day:02}"),
            Some('e') => format!("{day:2}"),
            Some('j') => format!("{:03}", from_new_year + 1),
            Some('B') => MONTHS[month as usize - 1].to_owned(),
            Some('b') => MONTHS[month as usize - 1][..3].to_owned(),
            Some('A') => weekday.to_owned(),
            Some('a') => weekday[..3].to_owned(),
            Some('H') => format!("{:02}", second / 3600),
            Some('M') => format!("{:02}", second / 60 % 60),
            Some('S') => format!("{:02}", second % 60),
            Some('%') => "%".to_owned(),
            other => {
                let other = other.map_or(String::new(), |c| c.to_string());
                return Err(Error::new(ErrorKind::InvalidOperation, format!("strftime_now knows no `%{other}`")));
            }
        };
    }
    Ok(out)
}

/// Days from 1970 to the first of January of a year.
fn days_before(year: u64) -> u64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400 - 719_162
}

/// Year, month and day of a day counted from 1970-01-01 (the Gregorian calendar).
fn civil(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut rest = days - days_before(year);
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in (1..).zip(lengths) {
        if rest < length {
            return (year, month, rest + 1);
        }
        rest -= length;
    }
    (year, 12, 31)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From Python: datetime.fromtimestamp(n, timezone.utc).strftime(…).
        for (now, text) in [
            (0, "1970-01-01 001 Thursday 00:00:00"),
            (951_782_400, "2000-02-29 060 Tuesday 00:00:00"),
            (1_735_689_599, "2024-12-31 366 Tuesday 23:59:59"),
            (1_735_689_600, "2025-01-01 001 Wednesday 00:00:00"),
            (4_107_542_400, "2100-03-01 060 Monday 00:00:00"),
        ] {
            assert_eq!(format(now, "%Y-%m-%d %j %A %H:%M:%S").unwrap(), text);
        }
        assert_eq!(format(1_721_956_800, "%d %b %y %B %a %e %%").unwrap(), "26 Jul 24 July Fri 26 %");
        assert!(format(0, "%Q").is_err() && format(0, "%").is_err());
    }
}
