//! Requests, tried again where that can help.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body, SendBody};

use crate::answer::{self, About};
use crate::error::{Error, Result};
use crate::settings::Settings;

/// The longest answer that is read as a whole, in bytes.
const LARGEST_ANSWER: u64 = 64 << 20;
/// The longest explanation that is read of a failure, in bytes.
const LARGEST_REASON: u64 = 64 << 10;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What a request carries.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    /// Nothing.
    None,
    /// Bytes, and their type.
    Bytes(&'a [u8], &'static str),
    /// `len` bytes of a file from `from` on.
    Part { file: &'a Path, from: u64, len: u64 },
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    /// Whether the token goes with it; never to a storage server.
    pub(crate) signed: bool,
    pub(crate) headers: &'a [(&'a str, String)],
    pub(crate) payload: Payload<'a>,
    /// Whether an answer that was lost must not be asked for again, except where the server says to wait.
    pub(crate) once: bool,
    /// What it is about, for errors.
    pub(crate) about: &'a About<'a>,
}

impl<'a> Ask<'a> {
    /// A signed request without payload.
    pub(crate) fn get(url: &'a str, about: &'a About<'a>) -> Self {
        Self { method: "GET", url, signed: true, headers: &[], payload: Payload::None, once: false, about }
    }
}

/// A client of the Hub.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    pub(crate) settings: Settings,
}

impl Http {
    pub(crate) fn new(settings: Settings) -> Self {
        let patience = Some(settings.patience);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect to a storage server must not carry the token there.
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience)
            // Sizes and ranges are those of the files.
            .accept_encoding("identity")
            .user_agent(concat!("polder/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent(), settings }
    }

    /// A request's answer. Failures that may pass are tried again, after a pause: 408, 429 and 5xx, broken connections.
    ///
    /// # Errors
    /// No answer, or one that says no.
    pub(crate) fn send(&self, ask: &Ask<'_>, sent: &mut dyn FnMut(u64)) -> Result<Response<Body>> {
        let mut tries = 0;
        loop {
            let (error, wait) = match self.once(ask, sent) {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(mut response) => {
                    let wait = answer::wait(response.headers());
                    let body =
                        response.body_mut().with_config().limit(LARGEST_REASON).read_to_vec().unwrap_or_default();
                    (answer::refusal(&self.settings, ask.about, &response, &body), wait)
                }
                Err(error) => (error, None),
            };
            tries += 1;
            let lost = ask.once && !matches!(error, Error::RateLimited { .. });
            if lost || tries > self.settings.retries || !may_pass(&error) || wait.is_some_and(|w| w > LONGEST_WAIT) {
                return Err(error);
            }
            std::thread::sleep(wait.unwrap_or(self.pause(tries)));
        }
    }

    /// The pause before try `n + 1`.
    pub(crate) fn pause(&self, n: u32) -> Duration {
        self.settings.pause * (1 << n.saturating_sub(1).min(5))
    }

    fn once(&self, ask: &Ask<'_>, sent: &mut dyn FnMut(u64)) -> Result<Response<Body>> {
        let mut request = Request::builder().method(ask.method).uri(ask.url);
        if let Some(token) = self.settings.token.as_ref().filter(|_| ask.signed) {
            request = request.header("Authorization", token.header());
        }
        for (name, value) in ask.headers {
            request = request.header(*name, value);
        }
        let unusable = |e: ureq::http::Error| self.unusable(ask.about, &e.to_string());
        let answered = match ask.payload {
            Payload::None => self.agent.run(request.body(()).map_err(unusable)?),
            Payload::Bytes(bytes, kind) => {
                self.agent.run(request.header("Content-Type", kind).body(bytes).map_err(unusable)?)
            }
            Payload::Part { file, from, len } => {
                let mut handle = File::open(file).map_err(Error::io("read", file))?;
                handle.seek(SeekFrom::Start(from)).map_err(Error::io("read", file))?;
                let mut body = Counted { inner: handle.take(len), done: 0, sent };
                let request = request.header("Content-Length", len);
                self.agent.run(request.body(SendBody::from_reader(&mut body)).map_err(unusable)?)
            }
        };
        answered.map_err(|error| self.unanswered(ask.about, &error))
    }

    /// A request's answer as JSON.
    ///
    /// # Errors
    /// As [`Self::send`]; an answer that is no JSON or far too long.
    pub(crate) fn json(&self, ask: &Ask<'_>) -> Result<(Value, HeaderMap)> {
        let mut tries = 0;
        loop {
            let mut response = self.send(ask, &mut |_| {})?;
            let read = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
            match read {
                Ok(bytes) => {
                    let json = serde_json::from_slice(&bytes).map_err(|e| self.unusable(ask.about, &e.to_string()))?;
                    return Ok((json, response.headers().clone()));
                }
                Err(error) => {
                    tries += 1;
                    let error = self.unanswered(ask.about, &error);
                    if ask.once || tries > self.settings.retries || !may_pass(&error) {
                        return Err(error);
                    }
                    std::thread::sleep(self.pause(tries));
                }
            }
        }
    }

    /// A connection's failure, as an error without the request's address, which may hold a signature.
    pub(crate) fn unanswered(&self, about: &About<'_>, error: &ureq::Error) -> Error {
        let (repo, host) = (about.repo.to_owned(), self.settings.host().to_owned());
        let network = |reason: String| Error::Network { repo: repo.clone(), host: host.clone(), reason };
        match error {
            ureq::Error::HostNotFound => network("there is no such host, or no network".to_owned()),
            ureq::Error::Timeout(_) => network("it was silent for too long".to_owned()),
            ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                network("it was silent for too long".to_owned())
            }
            ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                network("it refuses connections".to_owned())
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                self.unusable(about, "an address that can't be asked; HF_ENDPOINT begins with https:// or http://")
            }
            ureq::Error::BodyExceedsLimit(_) => self.unusable(about, "it is too long"),
            ureq::Error::RedirectFailed => {
                self.unusable(about, "it sends this request elsewhere; was the repository renamed? Use its new name")
            }
            ureq::Error::TooManyRedirects => self.unusable(about, "it redirects without end"),
            other => network(self.scrub(&other.to_string())),
        }
    }

    /// An answer that can't be used.
    pub(crate) fn unusable(&self, about: &About<'_>, reason: &str) -> Error {
        let (repo, host) = (about.repo.to_owned(), self.settings.host().to_owned());
        Error::Answer { repo, host, reason: self.scrub(reason) }
    }

    fn scrub(&self, text: &str) -> String {
        self.settings.token.as_ref().map_or_else(|| text.to_owned(), |token| token.scrub(text))
    }
}

/// Whether another try can end better.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Network { reason, .. } => !reason.contains("no such host") && !reason.contains("refuses connections"),
        Error::Server { .. } | Error::RateLimited { .. } => true,
        _ => false,
    }
}

/// A reader that says how far it was read.
struct Counted<'a, R> {
    inner: R,
    done: u64,
    sent: &'a mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.done += n as u64;
        (self.sent)(self.done);
        Ok(n)
    }
}
