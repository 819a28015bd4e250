//! Reasons to end a run before its last step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a run ended before its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked (Ctrl-C).
    Asked,
    /// The time that it was given is up.
    TimeUp,
}

/// What may end a run between two passes; clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Stop {
    /// Never, unless [`Stop::flag`] is raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// After this time, counted from now.
    pub fn within(mut self, time: Option<Duration>) -> Self {
        self.deadline = time.and_then(|t| Instant::now().checked_add(t));
        self
    }

    /// The flag that ends the run once it is true; a signal handler may hold it.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Whether to end now.
    pub fn now(&self) -> Option<Stopped> {
        if self.flag.load(Ordering::Relaxed) {
            return Some(Stopped::Asked);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| Stopped::TimeUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_or_the_clock_ends_it() {
        let stop = Stop::new().within(Some(Duration::from_secs(3600)));
        assert_eq!(stop.now(), None);
        stop.clone().flag().store(true, Ordering::Relaxed);
        assert_eq!(stop.now(), Some(Stopped::Asked));
        assert_eq!(Stop::new().within(Some(Duration::ZERO)).now(), Some(Stopped::TimeUp));
        assert_eq!(Stop::new().within(Some(Duration::MAX)).now(), None, "a time beyond the clock is no limit");
    }
}
