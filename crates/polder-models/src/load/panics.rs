//! Panics in other crates' parsers, caught without a word on stderr.

use std::cell::Cell;
use std::panic::{UnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside of [`without_panic`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What `parse` gives; `None` where it panics, of which the usual hook then prints nothing.
pub(super) fn without_panic<T>(parse: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    static FILTER: Once = Once::new();
    FILTER.call_once(|| {
        let usual = take_hook();
        // Panics of other threads, and outside of a parser, are still told.
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                usual(panic);
            }
        }));
    });
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(parse);
    INSIDE.set(outer);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_nothing_and_ends_the_silence() {
        assert_eq!(without_panic(|| 3), Some(3));
        assert_eq!(without_panic(|| -> i32 { panic!("a damaged file") }), None);
        assert!(!INSIDE.get());
    }
}
