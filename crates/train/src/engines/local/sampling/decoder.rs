//! The threads that serve requests.

use std::collections::HashSet;
use std::thread;

use super::super::super::{EngineError, SampleQueue, SampleRequest, Sampled};
use super::super::clock::{Spent, Work, account, time};
use super::super::model::weights::{Matrices, Model};
use super::cache::{Cache, Shape, TOKENS, key_after};
use super::choose::choose;
use super::lobby::{Lobby, StopOnPanic};
use super::memo::{Known, Memo};
use super::pass::{Pass, Row};
use super::sequence::{Sequence, check};
use super::sessions::Sessions;

/// Rows of prompts in a step: enough for matrix products, few enough that decoding sequences go on.
const PROMPT_ROWS: usize = 128;

/// Serves requests on `threads` threads until the queue is closed and everything taken from it is finished; says where the time went.
pub(crate) fn serve(
    model: &Model,
    matrices: &Matrices,
    threads: usize,
    queue: &dyn SampleQueue,
) -> (Result<(), EngineError>, Spent) {
    let shape = Shape::new(&model.config);
    let sessions = Sessions::new(shape);
    let memo = Memo::new(shape.token_bytes() + model.config.vocab_size * size_of::<f32>());
    let lobby = Lobby::new(queue, threads);
    let run = |thread: usize| {
        let _guard = StopOnPanic(&lobby);
        let decoder = Decoder {
            model,
            shape,
            sessions: &sessions,
            memo: &memo,
            queue,
            sequences: Vec::new(),
            pass: Pass::new(model, matrices),
            weights: Vec::new(),
        };
        let result = decoder.run(&lobby, thread);
        if result.is_err() {
            lobby.fail();
        }
        result
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || account(|| run(thread)))).collect();
        let first = account(|| run(0));
        let others = others.into_iter().map(|other| other.join().expect("sampling does not panic"));
        others.fold(first, |(result, mut spent), (other, other_spent)| {
            spent.add(&other_spent);
            (result.and(other), spent)
        })
    })
}

/// One thread with its sequences.
struct Decoder<'a> {
    model: &'a Model,
    shape: Shape,
    sessions: &'a Sessions,
    memo: &'a Memo,
    queue: &'a dyn SampleQueue,
    sequences: Vec<Sequence>,
    pass: Pass<'a>,
    weights: Vec<f32>,
}

impl Decoder<'_> {
    fn run(mut self, lobby: &Lobby, thread: usize) -> Result<(), EngineError> {
        while let Some(requests) = lobby.take(thread, self.sequences.len()) {
            for request in requests {
                self.admit(request)?;
            }
            self.step()?;
        }
        Ok(())
    }

    fn admit(&mut self, request: SampleRequest) -> Result<(), EngineError> {
        check(&request, &self.model.config)?;
        let mut cache = self.sessions.take(request.session, &request.prompt);
        // The last id is always computed: its output is what the first sample is drawn from.
        cache.truncate(request.prompt.len() - 1);
        let context = self.model.config.max_position_embeddings;
        if request.max_tokens == 0 || request.prompt.len() >= context {
            let nothing = Sampled { tokens: Vec::new(), logprobs: Vec::new(), stopped: false };
            self.leave(&request, nothing, cache);
        } else {
            self.sequences.push(Sequence::new(request, cache));
        }
        Ok(())
    }

    /// Takes all sequences as far as they were computed before, runs one step of them, and lets those leave that are done.
    fn step(&mut self) -> Result<(), EngineError> {
        let mut done = Vec::new();
        for index in 0..self.sequences.len() {
            if self.recall(index)? {
                done.push(index);
            }
        }
        self.dismiss(done);
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(());
        }
        self.pass.run(&rows, &mut self.sequences);
        self.note(&rows);
        let mut done = Vec::new();
        let logits = std::mem::take(&mut self.pass.logits);
        let sampled = rows.iter().filter(|row| row.sampled).map(|row| row.sequence);
        for (index, logits) in sampled.zip(logits.chunks_exact(self.model.config.vocab_size)) {
            if self.draw(index, logits)? {
                done.push(index);
            }
        }
        self.pass.logits = logits;
        self.dismiss(done);
        Ok(())
    }

    /// Takes a sequence as far as is known what would be computed; says whether it is done.
    fn recall(&mut self, index: usize) -> Result<bool, EngineError> {
        loop {
            let sequence = &mut self.sequences[index];
            if sequence.pending() > 1 {
                let most = sequence.ids.len() - 1;
                self.sessions.extend(&mut sequence.cache, &sequence.ids, most);
            }
            let (position, is_last) = (sequence.cache.ids.len(), sequence.pending() == 1);
            let id = sequence.ids[position];
            let Some(known) = self.memo.find(sequence.cache.key(), id, is_last) else { return Ok(false) };
            sequence.cache.reserve(self.shape, position + 1);
            sequence.cache.open_block(position).put(self.shape, position % TOKENS, &known.token);
            self.sessions.append(&mut sequence.cache, &[id]);
            if let Some(logits) = known.logits.as_ref().filter(|_| is_last)
                && self.draw(index, logits)?
            {
                return Ok(true);
            }
        }
    }

    /// Draws the next id of a sequence; says whether that was its last.
    fn draw(&mut self, index: usize, logits: &[f32]) -> Result<bool, EngineError> {
        let sequence = &mut self.sequences[index];
        let (temperature, uniform) = (sequence.request.temperature, sequence.uniform());
        let choice = time(Work::Choosing, || choose(logits, temperature, uniform, &mut self.weights))
            .ok_or(EngineError::NotFinite { what: "the model's output" })?;
        self.queue.token(sequence.request.id, choice.id);
        Ok(sequence.push(choice, self.model.config.max_position_embeddings))
    }

    /// Lets sequences leave.
    fn dismiss(&mut self, mut done: Vec<usize>) {
        done.sort_unstable();
        for index in done.into_iter().rev() {
            // In order: sequences that came together often share blocks, which then are in the processor's caches.
            let sequence = self.sequences.remove(index);
            let request = sequence.request.clone();
            let (sampled, cache) = sequence.finish();
            self.leave(&request, sampled, cache);
        }
    }

    /// What to compute: the last id of every decoding sequence, and some of the prompts.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut budget = PROMPT_ROWS;
        let mut in_flight = HashSet::new();
        for (index, sequence) in self.sequences.iter().enumerate() {
            let begin = sequence.cache.ids.len();
            let reading = sequence.pending() > 1;
            let count = if reading { sequence.pending().min(budget) } else { 1 };
            let ids = &sequence.ids[begin..begin + count];
            // Another sequence is computing the same; after this step it is known.
            if self.will_be_known(&sequence.cache, ids).is_some_and(|key| !in_flight.insert(key)) {
                continue;
            }
            budget -= if reading { count } else { 0 };
            rows.extend(ids.iter().zip(begin..).map(|(&id, position)| Row {
                sequence: index,
                position,
                id,
                sampled: position + 1 == sequence.ids.len(),
            }));
        }
        rows
    }

    /// The key of the first of these ids, or of the first block that they fill, if others need not compute it.
    fn will_be_known(&self, cache: &Cache, ids: &[u32]) -> Option<u64> {
        let count = match (self.memo.is_on(), cache.ids.len() % TOKENS) {
            (true, _) => 1,
            (false, 0) => TOKENS,
            (false, _) => return None,
        };
        Some(key_after(cache.key(), ids.get(..count)?))
    }

    /// Brings the caches up to date with what was computed, shares their full blocks, and remembers the rest.
    fn note(&mut self, rows: &[Row]) {
        let mut logits = self.pass.logits.chunks_exact(self.model.config.vocab_size);
        for rows in rows.chunk_by(|a, b| a.sequence == b.sequence) {
            let cache = &mut self.sequences[rows[0].sequence].cache;
            let full = (rows[0].position + rows.len()) / TOKENS * TOKENS;
            let mut before = cache.key();
            for row in rows {
                let logits = if row.sampled { logits.next() } else { None };
                if self.memo.is_on() && (logits.is_some() || row.position >= full) {
                    let token = cache.open_block(row.position).token(self.shape, row.position % TOKENS);
                    self.memo.keep(Known { before, id: row.id, token, logits: logits.map(<[f32]>::to_vec) });
                }
                before = key_after(before, &[row.id]);
            }
            let ids: Vec<u32> = rows.iter().map(|row| row.id).collect();
            self.sessions.append(cache, &ids);
        }
    }

    fn leave(&self, request: &SampleRequest, sampled: Sampled, cache: Cache) {
        if !request.last {
            self.sessions.keep(request.session, cache);
        }
        self.queue.finish(request.id, sampled);
    }
}
