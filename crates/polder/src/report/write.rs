//! Numbers as a page shows them.

/// A dash, for what is not known.
pub(super) const UNKNOWN: &str = "–";

/// A number with so many significant digits at most; a dash where it is not finite.
pub(crate) fn short(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    if !(-4..7).contains(&power) {
        return format!("{value:.*e}", digits.saturating_sub(1));
    }
    let decimals = (digits as i32 - 1 - power).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A whole number with commas between thousands.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let text = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time in the units that people use.
pub(crate) fn time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return UNKNOWN.to_owned();
    }
    let whole = seconds.round();
    let (hours, minutes, rest) = ((whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor(), whole % 60.0);
    match (hours, minutes) {
        (0.0, 0.0) => format!("{} s", short(seconds, 2)),
        (0.0, minutes) => format!("{minutes:.0} min {rest:.0} s"),
        (hours, minutes) => format!("{} h {minutes:.0} min", count(hours)),
    }
}

/// Memory in MiB or GiB.
pub(super) fn memory(bytes: f64) -> String {
    const MIB: f64 = (1 << 20) as f64;
    match bytes / MIB {
        mib if !mib.is_finite() => UNKNOWN.to_owned(),
        mib if mib < 1.0 => format!("{} KiB", short(bytes / 1024.0, 3)),
        mib if mib < 1024.0 => format!("{} MiB", short(mib, 3)),
        mib => format!("{} GiB", short(mib / 1024.0, 3)),
    }
}

/// A score or its interval: a share in per cent, a loss in nats.
pub(crate) fn score(metric: &str, value: f64) -> String {
    match metric {
        _ if !value.is_finite() => UNKNOWN.to_owned(),
        "loss" => format!("{value:.4}"),
        _ => format!("{:.1} %", 100.0 * value),
    }
}

/// The ends of an interval; nothing where there is none.
pub(super) fn interval(metric: &str, low: f64, high: f64) -> String {
    if !(low.is_finite() && high.is_finite()) {
        return String::new();
    }
    format!("{} to {}", score(metric, low).trim_end_matches(" %"), score(metric, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_missing_ones_are_dashes() {
        assert_eq!(
            (short(0.123_456, 3), short(1500.0, 2), short(0.5, 3)),
            ("0.123".into(), "1500".into(), "0.5".into())
        );
        assert_eq!((short(2.5e-7, 2), short(0.0, 2), short(f64::NAN, 2)), ("2.5e-7".into(), "0".into(), "–".into()));
        assert_eq!(
            (count(1_234_567.0), count(999.0), count(-1000.0)),
            ("1,234,567".into(), "999".into(), "-1,000".into())
        );
        assert_eq!((time(0.26), time(61.0), time(7260.0)), ("0.26 s".into(), "1 min 1 s".into(), "2 h 1 min".into()));
        assert_eq!(
            (memory(1024.0), memory(3.5e8), memory(2e10)),
            ("1 KiB".into(), "334 MiB".into(), "18.6 GiB".into())
        );
        assert_eq!((score("accuracy", 0.9861), score("loss", 0.5)), ("98.6 %".into(), "0.5000".into()));
        assert_eq!(
            (interval("accuracy", 0.5, 0.7), interval("loss", f64::NAN, 1.0)),
            ("50.0 to 70.0 %".into(), "".into())
        );
    }
}
