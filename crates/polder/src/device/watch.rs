//! The most memory that something held on a card.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a card is asked what it has free.
const EVERY: Duration = Duration::from_millis(2);

/// Runs `f` and gives by how much less was free meanwhile than before, in bytes, by asking `free` again and again; `None`
/// where it does not tell.
///
/// What a card's driver keeps in its pool counts as held: that is what another program can't have.
pub(crate) fn held_by<T>(free: &(dyn Fn() -> Option<u64> + Sync), f: impl FnOnce() -> T) -> (T, Option<u64>) {
    let Some(before) = free() else { return (f(), None) };
    let (over, lowest) = (AtomicBool::new(false), AtomicU64::new(before));
    let look = || {
        if let Some(now) = free() {
            lowest.fetch_min(now, Ordering::Relaxed);
        }
    };
    let out = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                look();
                std::thread::sleep(EVERY);
            }
        });
        // Raised also where `f` panics, so that the scope ends.
        let _end = Raised(&over);
        let out = f();
        look();
        out
    });
    (out, Some(before - lowest.into_inner()))
}

/// A flag that is up once this is dropped.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_that_was_free_counts() {
        let free = AtomicU64::new(1000);
        let ((), held) = held_by(&|| Some(free.load(Ordering::Relaxed)), || {
            free.store(300, Ordering::Relaxed);
            // Long enough to be looked at, however busy the machine is.
            std::thread::sleep(50 * EVERY);
            free.store(900, Ordering::Relaxed);
        });
        assert_eq!(held, Some(700));
        // What is held at the end is seen without waiting.
        let (out, held) = held_by(&|| Some(free.load(Ordering::Relaxed)), || free.swap(450, Ordering::Relaxed));
        assert_eq!((out, held), (900, Some(450)));
        assert_eq!(held_by(&|| None, || 7), (7, None));
        // More may be free than before.
        let (_, held) = held_by(&|| Some(free.load(Ordering::Relaxed)), || free.store(2000, Ordering::Relaxed));
        assert_eq!(held, Some(0));
    }
}
