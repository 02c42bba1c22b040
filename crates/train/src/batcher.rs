//! The meeting point of many episode threads and one sampling thread.
//!
//! An episode thread [`asks`](Batcher::ask) and blocks until its answer is there; the engine takes requests whenever it has
//! room in its batch. Requests are served in the order in which they arrive. When the queue is closed, everybody who waits or
//! comes later is told why; nobody waits forever.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::engines::{Next, SampleQueue, SampleRequest, Sampled};

/// See the module.
#[derive(Default)]
pub struct Batcher {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<SampleRequest>,
    /// Where the answers go, by request id. Dropping a sender wakes its receiver with an error.
    answers: HashMap<u64, mpsc::SyncSender<Sampled>>,
    next_id: u64,
    /// Since when the engine has something to do.
    busy_since: Option<Instant>,
    /// How long it had something to do before that.
    busy: Duration,
    /// Why the queue is closed.
    closed: Option<String>,
}

impl Batcher {
    /// An open, empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands in a request and waits for its answer. The id of the request is set here.
    ///
    /// # Errors
    /// The reason for which the queue was closed.
    pub fn ask(&self, request: SampleRequest) -> Result<Sampled, String> {
        let answer = self.submit(request)?;
        answer
            .recv()
            .map_err(|_| self.lock().closed.clone().unwrap_or_else(|| "the engine dropped a request".to_owned()))
    }

    /// Closes the queue: the engine finishes what it has taken, everybody else gets `reason`. The first reason stays.
    pub fn close(&self, reason: &str) {
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| reason.to_owned());
        let State { waiting, answers, .. } = &mut *state;
        waiting.drain(..).for_each(|request| drop(answers.remove(&request.id)));
        self.arrived.notify_all();
    }

    /// Closes the queue and gives up what the engine had taken: nobody will finish it.
    pub fn abandon(&self, reason: &str) {
        self.close(reason);
        self.lock().answers.clear();
    }

    /// How long the engine has had requests to serve so far.
    pub fn busy(&self) -> Duration {
        let state = self.lock();
        state.busy + state.busy_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn submit(&self, mut request: SampleRequest) -> Result<mpsc::Receiver<Sampled>, String> {
        let mut state = self.lock();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        request.id = state.next_id;
        state.next_id += 1;
        state.busy_since.get_or_insert_with(Instant::now);
        state.answers.insert(request.id, sender);
        state.waiting.push_back(request);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// A panic elsewhere cannot leave the state half changed, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SampleQueue for Batcher {
    fn next(&self, wait: bool) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(request) = state.waiting.pop_front() {
                return Next::Request(request);
            }
            if state.closed.is_some() {
                return Next::Closed;
            }
            if !wait {
                return Next::Empty;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, id: u64, sampled: Sampled) {
        let mut state = self.lock();
        let sender = state.answers.remove(&id);
        if state.answers.is_empty() {
            let elapsed = state.busy_since.take().map_or(Duration::ZERO, |since| since.elapsed());
            state.busy += elapsed;
        }
        drop(state);
        if let Some(sender) = sender {
            // The asking thread may be gone; then nobody needs the answer.
            let _ = sender.send(sampled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: u32) -> SampleRequest {
        SampleRequest {
            id: 0,
            prompt: vec![token],
            session: 0,
            last: false,
            max_tokens: 1,
            temperature: 1.0,
            stop: Vec::new(),
            seed: 0,
        }
    }

    /// Answers every request with its own first id until the queue is closed.
    fn echo(queue: &dyn SampleQueue) {
        while let Next::Request(request) = queue.next(true) {
            let sampled = Sampled { tokens: vec![request.prompt[0]], logprobs: vec![0.0], stopped: true };
            queue.finish(request.id, sampled);
        }
    }

    #[test]
    fn everybody_gets_the_answer_to_the_own_question() {
        let batcher = Batcher::new();
        let ask = |token| batcher.ask(request(token));
        let ask = &ask;
        std::thread::scope(|scope| {
            scope.spawn(|| echo(&batcher));
            let askers: Vec<_> = (0..32).map(|token| (token, scope.spawn(move || ask(token)))).collect();
            for (token, asker) in askers {
                let answer = asker.join().expect("does not panic").expect("is answered");
                assert_eq!(answer.tokens, [token]);
            }
            batcher.close("done");
        });
    }

    #[test]
    fn whoever_waits_is_told_why_the_queue_was_closed() {
        let batcher = Batcher::new();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| batcher.ask(request(1)));
            let Next::Request(_) = batcher.next(true) else { panic!("there is a request") };
            batcher.abandon("out of memory");
            assert_eq!(waiting.join().expect("does not panic"), Err("out of memory".to_owned()));
        });
        assert_eq!(batcher.ask(request(2)), Err("out of memory".to_owned()));
    }

    #[test]
    fn a_closed_queue_lets_the_engine_finish_what_it_took() {
        let batcher = Batcher::new();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| batcher.ask(request(7)));
            let Next::Request(taken) = batcher.next(true) else { panic!("there is a request") };
            batcher.close("done");
            assert!(matches!(batcher.next(true), Next::Closed));
            batcher.finish(taken.id, Sampled { tokens: vec![7], logprobs: vec![0.0], stopped: true });
            assert_eq!(waiting.join().expect("does not panic").expect("is answered").tokens, [7]);
        });
    }
}
