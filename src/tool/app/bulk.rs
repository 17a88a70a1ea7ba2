//! Many inputs: one reader, several workers, one writer in input order. Channels are bounded and
//! a batch may only start when one before it was written, so that memory stays the same however
//! much comes in.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many batches per worker may be under way: one in work, one waiting, one to be written.
const BATCHES_PER_WORKER: usize = 3;

/// Mail nests; the parser bounds that by count, and this is the stack that the main thread has.
pub(super) const STACK: usize = 8 << 20;

/// Looks at one input. Nothing in the rooms panics; if something does all the same, it costs this
/// input, and no other.
pub(super) fn guarded<T>(look: impl FnOnce() -> T) -> Result<T, &'static str> {
    const FAILED: &str =
        "mailtrace failed on this input; please report it, with the input if you may";
    catch_unwind(AssertUnwindSafe(look)).map_err(|_| FAILED)
}

/// Works on every batch and writes what comes of it, in order. Ends early when `write` breaks.
///
/// When there is but one batch, or one worker, no thread is started.
pub(super) fn run<B: Send, R: Send>(
    mut batches: impl Iterator<Item = B> + Send,
    workers: usize,
    work: impl Fn(B) -> R + Sync,
    mut write: impl FnMut(R) -> ControlFlow<()>,
) {
    let Some(first) = batches.next() else { return };
    if workers <= 1 {
        for batch in std::iter::once(first).chain(batches) {
            if write(work(batch)).is_break() {
                return;
            }
        }
        return;
    }
    let Some(second) = batches.next() else {
        let _ = write(work(first));
        return;
    };
    let batches = [first, second].into_iter().chain(batches).enumerate();
    let limit = workers * BATCHES_PER_WORKER;
    let (give, take) = sync_channel::<(usize, B)>(limit);
    let (done, results) = sync_channel::<(usize, R)>(limit);
    let (written, may_start) = sync_channel::<()>(limit);
    let take = Mutex::new(take);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            for (started, batch) in batches.enumerate() {
                // The first ones start freely, every other one when one was written.
                let allowed = started < limit || may_start.recv().is_ok();
                if !allowed || give.send(batch).is_err() {
                    return;
                }
            }
        });
        for _ in 0..workers {
            let (done, take, work) = (done.clone(), &take, &work);
            let worker = thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, move || {
                    while let Some((number, batch)) = next(take) {
                        if done.send((number, work(batch))).is_err() {
                            return;
                        }
                    }
                });
            // Without a further thread the others do its work.
            drop(worker);
        }
        drop(done);
        in_order(&results, |result| {
            let flow = write(result);
            // The reader may be through already; then nobody waits for this.
            let _ = written.try_send(());
            flow
        });
        drop((results, written, reader));
    });
}

fn next<T>(take: &Mutex<Receiver<T>>) -> Option<T> {
    take.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

fn in_order<R>(results: &Receiver<(usize, R)>, mut write: impl FnMut(R) -> ControlFlow<()>) {
    let mut early = BTreeMap::new();
    let mut due = 0;
    for (number, result) in results {
        early.insert(number, result);
        while let Some(result) = early.remove(&due) {
            due += 1;
            if write(result).is_break() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_input() {
        for workers in [1, 2, 7] {
            let mut got = Vec::new();
            let slow = |n: u64| {
                // Every seventh takes long, so that later ones are ready before it.
                if n.is_multiple_of(7) {
                    thread::sleep(std::time::Duration::from_millis(1));
                }
                n * 2
            };
            run(0..200u64, workers, slow, |n| {
                got.push(n);
                ControlFlow::Continue(())
            });
            assert_eq!(got, (0..200).map(|n| n * 2).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn an_endless_input_ends_when_nobody_reads_on() {
        for workers in [1, 4] {
            let mut got = 0;
            run(
                0u64..,
                workers,
                |n| n,
                |_| {
                    got += 1;
                    if got == 50 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            );
            assert_eq!(got, 50);
        }
    }

    #[test]
    fn no_more_batches_are_read_than_may_be_under_way() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (read, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let workers = 2;
        let count = |n: usize| {
            read.fetch_add(1, Ordering::SeqCst);
            n
        };
        run(
            (0..500).map(count),
            workers,
            |n| n,
            |_| {
                let ahead = read.load(Ordering::SeqCst) - written.load(Ordering::SeqCst);
                assert!(
                    ahead <= workers * BATCHES_PER_WORKER + 2,
                    "{ahead} under way"
                );
                written.fetch_add(1, Ordering::SeqCst);
                ControlFlow::Continue(())
            },
        );
    }

    #[test]
    fn nothing_to_do_is_done() {
        run(
            std::iter::empty::<u8>(),
            4,
            |n| n,
            |_| ControlFlow::Continue(()),
        );
    }
}
