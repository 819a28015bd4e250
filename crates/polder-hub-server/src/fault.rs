//! What goes wrong, and when.

use std::time::Duration;

use crate::wire::Request;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Another answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(&'static str, String)>,
        /// Its body.
        body: String,
    },
    /// The connection closes without an answer; nothing is done.
    Drop,
    /// What is asked for is done, but the connection closes without an answer.
    Lost,
    /// The answer's body ends after so many bytes.
    Cut(usize),
    /// Nothing comes for so long.
    Silent(Duration),
    /// The answer waits until so many requests have come to this fault; if they don't within five seconds, it never comes.
    Together(usize),
    /// The body has other bits.
    Wrong,
    /// A range is not heeded: the whole file comes.
    NoRange,
}

/// A fault, for some requests.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What `METHOD /path` has to contain.
    pub on: &'static str,
    /// So many such requests go well first.
    pub after: usize,
    /// So many then go wrong.
    pub times: usize,
    /// How.
    pub fault: Fault,
}

impl Rule {
    /// A fault that happens to the first request that fits.
    pub fn once(on: &'static str, fault: Fault) -> Self {
        Self { on, after: 0, times: 1, fault }
    }

    /// A fault that happens to every request that fits.
    pub fn always(on: &'static str, fault: Fault) -> Self {
        Self { on, after: 0, times: usize::MAX, fault }
    }

    /// A status that every request that fits is answered with.
    pub fn status(on: &'static str, status: u16) -> Self {
        let fault = Fault::Answer { status, headers: Vec::new(), body: "{\"error\": \"a fault\"}".to_owned() };
        Self::always(on, fault)
    }

    pub(crate) fn hits(&mut self, request: &Request) -> Option<Fault> {
        if self.times == 0 || !format!("{} {}", request.method, request.path).contains(self.on) {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.fault.clone())
    }
}
