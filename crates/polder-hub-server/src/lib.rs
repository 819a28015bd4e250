//! A small server that speaks the Hub's interface, with faults on request, for tests.
//!
//! It listens on this machine only and keeps everything in memory. The Hub itself answers as `127.0.0.1`, its storage as
//! `localhost`, so that a client which carries a token from one to the other is seen. `huggingface_hub` works against it;
//! a test of polder-hub holds it to that.

mod fault;
mod read;
mod store;
mod wire;
mod write;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use fault::{Fault, Rule};
pub use store::{Repo, Store};
pub use wire::Seen;

use wire::{Answer, Request};

/// A token that may do everything in the namespace [`OWNER`].
pub const TOKEN: &str = "hf_thetokenthatmayeverything";
/// A token that may read only.
pub const READER: &str = "hf_thetokenthatmayread";
/// The namespace that tests write to.
pub const OWNER: &str = "polder";
/// How long requests wait for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the server's threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    store: Mutex<Store>,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    closing: AtomicBool,
    /// Requests that came to a [`Fault::Together`].
    together: Mutex<usize>,
    came: Condvar,
}

impl Shared {
    /// Waits until `n` requests have come here; gives whether they did.
    fn together(&self, n: usize) -> bool {
        let mut so_far = held(&self.together);
        *so_far += 1;
        self.came.notify_all();
        let waited = self.came.wait_timeout_while(so_far, PATIENCE, |so_far| *so_far < n);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// A running server; ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// The system gives no port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        held(&shared.store).port = port;
        let own = Arc::clone(&shared);
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.closing.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&own);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { port, shared, listener: Some(listener) })
    }

    /// The address that a client takes as `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The repositories.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        held(&self.shared.store)
    }

    /// Adds a fault; rules are tried in the order they were added.
    pub fn fault(&self, rule: Rule) {
        held(&self.shared.rules).push(rule);
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.shared.seen).clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        held(&self.shared.seen).clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // The listener waits for somebody.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let Some(request) = Request::read(&mut stream) else { return };
    held(&shared.seen).push(request.seen());
    let fault = held(&shared.rules).iter_mut().find_map(|rule| rule.hits(&request));
    let (before, after) = match fault {
        Some(Fault::Drop) => return,
        Some(Fault::Silent(time)) => {
            std::thread::sleep(time);
            return;
        }
        Some(Fault::Together(n)) if shared.together(n) => (None, None),
        Some(Fault::Together(_)) => return,
        Some(Fault::Answer { status, headers, body }) => (Some(Answer::plain(status, &headers, body)), None),
        other => (None, other),
    };
    let ignores_range = matches!(after, Some(Fault::NoRange));
    let mut answer = before.unwrap_or_else(|| route(&request, &mut held(&shared.store), ignores_range));
    match after {
        Some(Fault::Lost) => return,
        Some(Fault::Cut(bytes)) => answer.cut = Some(bytes),
        Some(Fault::Wrong) => answer.body.iter_mut().for_each(|byte| *byte ^= 1),
        _ => {}
    }
    answer.write(&mut stream, request.method == "HEAD");
}

fn route(request: &Request, store: &mut Store, ignores_range: bool) -> Answer {
    if request.path.starts_with("/storage/") {
        return match request.method.as_str() {
            "PUT" => write::storage(request, store),
            _ => read::storage(request, store, ignores_range),
        };
    }
    match request.method.as_str() {
        "GET" | "HEAD" => read::answer(request, store, ignores_range),
        "POST" => write::answer(request, store),
        _ => Answer::error(405, "", "no such method"),
    }
}
