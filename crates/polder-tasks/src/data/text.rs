//! Text in files: UTF-8, and a clear word where it is something else.

/// What some editors put in front of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The beginning of a text without its byte-order mark; `Err` says what other encoding it betrays.
pub(super) fn without_mark(start: &[u8]) -> Result<&[u8], String> {
    match start {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Err(format!("it is UTF-16, not UTF-8{}", remedy("UTF-16"))),
        _ => Ok(start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start)),
    }
}

/// A piece of a file as text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| format!("invalid UTF-8 at byte {}{}", e.valid_up_to(), remedy("ISO-8859-1")))?;
    match text.find('\0') {
        Some(at) => Err(format!("a NUL at byte {at}: it is no text file, or UTF-16{}", remedy("UTF-16"))),
        None => Ok(text),
    }
}

/// How another encoding becomes UTF-8.
pub(super) fn remedy(from: &str) -> String {
    format!("\nhint: save it as UTF-8, or convert it: iconv -f {from} -t UTF-8 OLD > NEW (-f names its encoding)")
}
