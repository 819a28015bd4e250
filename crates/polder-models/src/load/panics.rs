//! Panics in other crates (parsers of damaged files, bindings to libraries that are not there), caught without a word on
//! stderr.

use std::cell::Cell;
use std::panic::{UnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside of [`without_panic`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What `f` gives; where it panics, of which the usual hook then prints nothing, the first line of what the panic said.
///
/// # Errors
/// A panic of `f`.
pub fn without_panic<T>(f: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    static FILTER: Once = Once::new();
    FILTER.call_once(|| {
        let usual = take_hook();
        // Panics of other threads, and outside of such calls, are still told.
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                usual(panic);
            }
        }));
    });
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(f);
    INSIDE.set(outer);
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("another crate failed");
        text.lines().next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_answer_and_ends_the_silence() {
        assert_eq!(without_panic(|| 3), Ok(3));
        assert_eq!(without_panic(|| -> i32 { panic!("a damaged file") }), Err("a damaged file".to_owned()));
        let missing = |name: &str| -> i32 { panic!("Unable to dynamically load the \"{name}\" shared library\nmore") };
        let said = "Unable to dynamically load the \"cuda\" shared library".to_owned();
        assert_eq!(without_panic(|| missing("cuda")), Err(said));
        assert!(!INSIDE.get());
    }
}
