//! The meeting point of many episode threads and one sampling thread.
//!
//! An episode thread [`asks`](Batcher::ask) and blocks until its answer is there; the engine takes requests whenever it has
//! room in its batch. Requests are served in the order in which they arrive. When the queue is closed, everybody who waits or
//! comes later is told why; nobody waits forever.
//!
//! New weights are [`announced`](Batcher::announce): from then on the engine gets no request until it has loaded them and
//! [`resumes`](Batcher::resume), while askers wait. So every answer comes from weights of one version, and every request that
//! is handed in after an announcement is answered by the new ones.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::engines::{Engine, EngineError, Next, SampleQueue, SampleRequest, Sampled};

/// See the module.
pub struct Batcher {
    state: Mutex<State>,
    arrived: Condvar,
    /// How many listen to single tokens: mostly nobody, and then no token takes the lock.
    listening: AtomicUsize,
    /// How long the engine may do nothing while somebody waits; `None` for as long as it takes.
    patience: Option<Duration>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<SampleRequest>,
    /// Where the answers go, by request id. Dropping a sender wakes its receiver with an error.
    answers: HashMap<u64, mpsc::SyncSender<Answer>>,
    /// Where single tokens go while they are sampled, by request id.
    listeners: HashMap<u64, mpsc::Sender<u32>>,
    next_id: u64,
    /// Version of the weights that the engine has.
    version: u64,
    /// Version of the newest weights that it has or will have.
    announced: u64,
    /// Directory of the weights that the engine has to load before it gets another request.
    weights: Option<PathBuf>,
    /// Since when the engine has something to do.
    busy_since: Option<Instant>,
    /// How long it had something to do before that.
    busy: Duration,
    /// When the engine last took a request, finished one or loaded weights.
    moved: Option<Instant>,
    /// Why the queue is closed.
    closed: Option<String>,
}

impl State {
    /// When nobody waits any longer, the engine has nothing to do.
    fn settle(&mut self) {
        if self.answers.is_empty() {
            self.busy += self.busy_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        }
    }
}

/// What an asker gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The continuation.
    pub sampled: Sampled,
    /// Version of the weights that sampled it.
    pub version: u64,
}

impl Batcher {
    /// An open, empty queue in front of an engine with weights of this version.
    pub fn new(version: u64) -> Self {
        let state = State { version, announced: version, ..State::default() };
        Self { state: Mutex::new(state), arrived: Condvar::new(), patience: None, listening: AtomicUsize::new(0) }
    }

    /// The same queue, in which nobody waits for an engine that has neither taken a request nor finished one for `patience`.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Hands in a request and waits for its answer. The id of the request is set here.
    ///
    /// # Errors
    /// The reason for which the queue was closed, or that the engine does nothing.
    pub fn ask(&self, request: SampleRequest) -> Result<Answer, String> {
        let (id, answer) = self.submit(request, None)?;
        self.wait(id, &answer)
    }

    /// The same, and tells `heard` of each token as soon as it is sampled, as far as the engine tells.
    ///
    /// # Errors
    /// Those of [`Batcher::ask`].
    pub fn ask_hearing(&self, request: SampleRequest, heard: &mut dyn FnMut(u32)) -> Result<Answer, String> {
        let (sender, tokens) = mpsc::channel();
        self.listening.fetch_add(1, Ordering::Relaxed);
        let submitted = self.submit(request, Some(sender));
        if submitted.is_ok() {
            // It ends when the request is finished or given up.
            tokens.into_iter().for_each(heard);
        }
        self.listening.fetch_sub(1, Ordering::Relaxed);
        let (id, answer) = submitted?;
        self.wait(id, &answer)
    }

    fn wait(&self, id: u64, answer: &mpsc::Receiver<Answer>) -> Result<Answer, String> {
        let start = Instant::now();
        let Some(patience) = self.patience else { return answer.recv().map_err(|_| self.why()) };
        let mut left = patience;
        loop {
            match answer.recv_timeout(left) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(self.why()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let silent = self.lock().moved.filter(|moved| *moved > start).unwrap_or(start).elapsed();
            left = patience.saturating_sub(silent);
            if left.is_zero() {
                return self.give_up(id, answer, patience);
            }
        }
    }

    /// Takes a request back, unless it has just been answered.
    fn give_up(&self, id: u64, answer: &mpsc::Receiver<Answer>, patience: Duration) -> Result<Answer, String> {
        let mut state = self.lock();
        state.waiting.retain(|request| request.id != id);
        state.answers.remove(&id);
        state.listeners.remove(&id);
        state.settle();
        drop(state);
        answer.try_recv().map_err(|_| {
            format!("the engine has neither taken a request nor finished one for {} s", patience.as_secs_f64())
        })
    }

    fn why(&self) -> String {
        self.lock().closed.clone().unwrap_or_else(|| "the engine dropped a request".to_owned())
    }

    /// Closes the queue: the engine finishes what it has taken, everybody else gets `reason`. The first reason stays.
    pub fn close(&self, reason: &str) {
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| reason.to_owned());
        let State { waiting, answers, listeners, .. } = &mut *state;
        for request in waiting.drain(..) {
            listeners.remove(&request.id);
            answers.remove(&request.id);
        }
        self.arrived.notify_all();
    }

    /// Closes the queue and gives up what the engine had taken: nobody will finish it.
    pub fn abandon(&self, reason: &str) {
        self.close(reason);
        let mut state = self.lock();
        state.listeners.clear();
        state.answers.clear();
    }

    /// Announces the weights of `version` in `dir`, after waiting until those announced before are loaded.
    pub fn announce(&self, dir: PathBuf, version: u64) {
        let mut state = self.lock();
        while state.weights.is_some() && state.closed.is_none() {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.weights = Some(dir);
        state.announced = version;
        self.arrived.notify_all();
    }

    /// The directory of the weights that the engine has to load; asked when it has stopped taking requests.
    pub fn announcement(&self) -> Option<PathBuf> {
        let state = self.lock();
        state.weights.clone().filter(|_| state.closed.is_none())
    }

    /// The engine has loaded the announced weights, which are of this version, and takes requests again.
    pub fn resume(&self, version: u64) {
        let mut state = self.lock();
        state.weights = None;
        state.version = version;
        state.moved = Some(Instant::now());
        self.arrived.notify_all();
    }

    /// Version of the newest weights that the engine has or will have.
    pub fn announced(&self) -> u64 {
        self.lock().announced
    }

    /// How long the engine has had requests to serve so far.
    pub fn busy(&self) -> Duration {
        let state = self.lock();
        state.busy + state.busy_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn submit(
        &self,
        mut request: SampleRequest,
        listener: Option<mpsc::Sender<u32>>,
    ) -> Result<(u64, mpsc::Receiver<Answer>), String> {
        let mut state = self.lock();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        request.id = state.next_id;
        state.next_id += 1;
        state.busy_since.get_or_insert_with(Instant::now);
        let id = request.id;
        state.answers.insert(id, sender);
        state.listeners.extend(listener.map(|listener| (id, listener)));
        state.waiting.push_back(request);
        self.arrived.notify_all();
        Ok((id, receiver))
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
            if state.weights.is_some() {
                return Next::Closed;
            }
            if let Some(request) = state.waiting.pop_front() {
                state.moved = Some(Instant::now());
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
        state.listeners.remove(&id);
        state.moved = Some(Instant::now());
        let version = state.version;
        state.settle();
        drop(state);
        if let Some(sender) = sender {
            // The asking thread may be gone; then nobody needs the answer.
            let _ = sender.send(Answer { sampled, version });
        }
    }

    fn token(&self, id: u64, token: u32) {
        if self.listening.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(listener) = self.lock().listeners.get(&id) {
            // The asking thread may be gone.
            let _ = listener.send(token);
        }
    }
}

/// Runs `body` while `engine` serves the queue on a thread of its own; returns what `body` gave, and how sampling ended. However either
/// of them ends, nobody waits for it.
pub fn while_sampling<T>(
    engine: &mut dyn Engine,
    batcher: &Batcher,
    body: impl FnOnce() -> T,
) -> (T, Result<(), EngineError>) {
    std::thread::scope(|scope| {
        let sampling = scope.spawn(|| {
            let _guard = Abandon(batcher);
            let outcome = serve(engine, batcher);
            if let Err(error) = &outcome {
                batcher.abandon(&error.to_string());
            }
            outcome
        });
        let value = {
            let _guard = Close(batcher);
            body()
        };
        let outcome = sampling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (value, outcome)
    })
}

/// Samples until the queue is closed, with newer weights whenever some are announced.
fn serve(engine: &mut dyn Engine, batcher: &Batcher) -> Result<(), EngineError> {
    loop {
        engine.sample(batcher)?;
        let Some(dir) = batcher.announcement() else { return Ok(()) };
        engine.load(&dir)?;
        batcher.resume(engine.info().weight_version);
    }
}

/// However the sampling thread ends, nobody waits for it.
struct Abandon<'a>(&'a Batcher);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon("the engine stopped sampling");
    }
}

/// However those who ask end, the sampling thread ends too.
struct Close<'a>(&'a Batcher);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close("the rollout is over");
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
        let batcher = Batcher::new(0);
        let ask = |token| batcher.ask(request(token));
        let ask = &ask;
        std::thread::scope(|scope| {
            scope.spawn(|| echo(&batcher));
            let askers: Vec<_> = (0..32).map(|token| (token, scope.spawn(move || ask(token)))).collect();
            for (token, asker) in askers {
                let answer = asker.join().expect("does not panic").expect("is answered");
                assert_eq!(answer.sampled.tokens, [token]);
            }
            batcher.close("done");
        });
    }

    #[test]
    fn whoever_listens_hears_the_own_tokens_before_the_answer() {
        let batcher = Batcher::new(0);
        let heard = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let listening =
                scope.spawn(|| batcher.ask_hearing(request(1), &mut |token| heard.lock().unwrap().push(token)));
            let Next::Request(one) = batcher.next(true) else { panic!("there is a request") };
            let other = scope.spawn(|| batcher.ask(request(2)));
            let Next::Request(two) = batcher.next(true) else { panic!("there is a request") };
            for token in [7, 8] {
                batcher.token(one.id, token);
                batcher.token(two.id, 90 + token);
            }
            // Nothing is finished yet.
            while heard.lock().unwrap().len() < 2 {
                std::thread::yield_now();
            }
            assert_eq!(*heard.lock().unwrap(), [7, 8]);
            let sampled = Sampled { tokens: vec![7, 8], logprobs: vec![0.0; 2], stopped: true };
            batcher.finish(one.id, sampled.clone());
            batcher.finish(two.id, sampled);
            assert!(listening.join().expect("does not panic").is_ok() && other.join().expect("does not panic").is_ok());
            let waiting = scope.spawn(|| batcher.ask_hearing(request(3), &mut |_| {}));
            let Next::Request(_) = batcher.next(true) else { panic!("there is a request") };
            batcher.abandon("out of memory");
            assert_eq!(waiting.join().expect("does not panic"), Err("out of memory".to_owned()));
        });
    }

    #[test]
    fn whoever_waits_is_told_why_the_queue_was_closed() {
        let batcher = Batcher::new(0);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| batcher.ask(request(1)));
            let Next::Request(_) = batcher.next(true) else { panic!("there is a request") };
            batcher.abandon("out of memory");
            assert_eq!(waiting.join().expect("does not panic"), Err("out of memory".to_owned()));
        });
        assert_eq!(batcher.ask(request(2)), Err("out of memory".to_owned()));
    }

    #[test]
    fn nobody_waits_for_an_engine_that_does_nothing_and_everybody_for_one_that_works() {
        let patience = Duration::from_millis(100);
        let batcher = Batcher::new(0).patient(patience);
        let sampled = Sampled { tokens: vec![7], logprobs: vec![0.0], stopped: true };
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| batcher.ask(request(1)));
            let Next::Request(first) = batcher.next(true) else { panic!("there is a request") };
            // It goes on with others for several times as long as one would wait for nothing.
            for _ in 0..8 {
                let other = scope.spawn(|| batcher.ask(request(2)));
                let Next::Request(taken) = batcher.next(true) else { panic!("there is a request") };
                std::thread::sleep(patience / 4);
                batcher.finish(taken.id, sampled.clone());
                assert!(other.join().expect("does not panic").is_ok());
            }
            batcher.finish(first.id, sampled.clone());
            assert!(slow.join().expect("does not panic").is_ok());
        });
        let text = batcher.ask(request(3)).expect_err("is not answered");
        assert_eq!(text, "the engine has neither taken a request nor finished one for 0.1 s");
        assert!(matches!(batcher.next(false), Next::Empty), "nobody wants it any longer");
    }

    #[test]
    fn what_is_asked_after_an_announcement_is_answered_by_the_new_weights() {
        let batcher = Batcher::new(3);
        std::thread::scope(|scope| {
            let before = scope.spawn(|| batcher.ask(request(1)));
            let Next::Request(taken) = batcher.next(true) else { panic!("there is a request") };
            batcher.announce(PathBuf::from("weights"), 5);
            let after = scope.spawn(|| batcher.ask(request(2)));
            assert!(matches!(batcher.next(true), Next::Closed), "the engine gets nothing with the old weights");
            let sampled = Sampled { tokens: vec![7], logprobs: vec![0.0], stopped: true };
            batcher.finish(taken.id, sampled.clone());
            assert_eq!(before.join().expect("does not panic").expect("is answered").version, 3);
            assert_eq!(batcher.announcement(), Some(PathBuf::from("weights")));
            batcher.resume(5);
            let Next::Request(taken) = batcher.next(true) else { panic!("the request waited") };
            batcher.finish(taken.id, sampled);
            assert_eq!(after.join().expect("does not panic").expect("is answered").version, 5);
        });
    }

    #[test]
    fn a_closed_queue_lets_the_engine_finish_what_it_took() {
        let batcher = Batcher::new(0);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| batcher.ask(request(7)));
            let Next::Request(taken) = batcher.next(true) else { panic!("there is a request") };
            batcher.close("done");
            assert!(matches!(batcher.next(true), Next::Closed));
            batcher.finish(taken.id, Sampled { tokens: vec![7], logprobs: vec![0.0], stopped: true });
            assert_eq!(waiting.join().expect("does not panic").expect("is answered").sampled.tokens, [7]);
        });
    }
}
