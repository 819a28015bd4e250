//! Several transfers at once, heard by one listener.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::error::Result;
use crate::watch::{Doing, Progress, Watch};

/// What is done to an item; the flag tells it that another one failed.
pub(crate) type Work<'a, T, R> = dyn Fn(&T, &AtomicBool, &mut Watch<'_>) -> Result<R> + Sync + 'a;

/// Does `work` to all items, up to `at_once` at a time, begun in their order; gives what came of each, in that order.
/// `watch` hears of all of them, on the thread of the caller. After a failure no further one begins.
///
/// # Errors
/// The failure of the first item that has one, once none is under way any more.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    watch: &mut Watch<'_>,
    work: &Work<'_, T, R>,
) -> Result<Vec<R>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (tell, hear) = mpsc::channel::<(Doing, String, u64, u64)>();
    let worker = |tell: mpsc::Sender<_>| {
        let mut ended = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = work(item, &failed, &mut |p| {
                // The listener stays until all have ended.
                let _ = tell.send((p.doing, p.file.to_owned(), p.done, p.total));
            });
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            ended.push((at, result));
        }
        ended
    };
    let mut ended: Vec<(usize, Result<R>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.clamp(1, items.len().max(1)))
            .map(|_| {
                let (worker, tell) = (&worker, tell.clone());
                scope.spawn(move || worker(tell))
            })
            .collect();
        drop(tell);
        for (doing, file, done, total) in hear {
            watch(&Progress { doing, file: &file, done, total });
        }
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    ended.sort_by_key(|(at, _)| *at);
    ended.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::Error;

    #[test]
    fn all_are_done_and_heard_of_by_the_caller() {
        let items: Vec<u64> = (0..50).collect();
        let (mut heard, caller) = (Vec::new(), thread::current().id());
        let mut watch = |p: &Progress<'_>| {
            assert_eq!(thread::current().id(), caller);
            heard.push((p.file.to_owned(), p.done));
        };
        let done = each(&items, 4, &mut watch, &|&item, _, watch| {
            watch(&Progress { doing: Doing::Fetching, file: &item.to_string(), done: item, total: 50 });
            Ok(item * item)
        });
        assert_eq!(done.unwrap(), items.iter().map(|item| item * item).collect::<Vec<_>>());
        heard.sort_by_key(|(_, done)| *done);
        assert_eq!(heard, items.iter().map(|item| (item.to_string(), *item)).collect::<Vec<_>>());
        assert_eq!(each(&[], 4, &mut |_| {}, &|_: &u64, _, _| Ok(())).unwrap(), []);
        assert_eq!(each(&[7], 0, &mut |_| {}, &|&item, _, _| Ok(item)).unwrap(), [7], "none at a time is one");
    }

    #[test]
    fn a_failure_ends_what_is_under_way_and_nothing_else_begins() {
        let begun = Mutex::new(Vec::new());
        let failed = each(&[0, 1, 2, 3, 4], 2, &mut |_| {}, &|&item, failed, _| {
            begun.lock().unwrap().push(item);
            if item == 1 {
                return Err(Error::NoHome);
            }
            while !failed.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            Ok(())
        });
        assert!(matches!(failed, Err(Error::NoHome)), "{failed:?}");
        let mut begun = begun.into_inner().unwrap();
        begun.sort_unstable();
        assert_eq!(begun, [0, 1]);
    }
}
