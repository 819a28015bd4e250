//! What goes to stdout: results. Everything else goes to stderr.

use std::io::Write;

/// Prints lines to stdout.
///
/// # Errors
/// A reader that went away, a full disk.
pub(super) fn print(text: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Tells a person something, on stderr; one that is closed is no matter.
pub(super) fn tell(quiet: bool, text: impl std::fmt::Display) {
    if !quiet {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
