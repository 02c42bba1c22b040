//! The threads that serve requests.

use std::collections::HashSet;
use std::thread;

use super::super::super::{EngineError, SampleQueue, SampleRequest, Sampled};
use super::super::clock::{Spent, Work, account, time};
use super::super::model::weights::{Matrices, Model};
use super::cache::{Cache, Shape, TOKENS, key_after};
use super::choose::choose;
use super::lobby::{Lobby, StopOnPanic};
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
    let sessions = Sessions::new(Shape::new(&model.config));
    let lobby = Lobby::new(queue, threads);
    let run = |thread: usize| {
        let _guard = StopOnPanic(&lobby);
        let decoder = Decoder {
            model,
            sessions: &sessions,
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
    sessions: &'a Sessions,
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

    /// Runs one step of all sequences, and lets those leave that are done.
    fn step(&mut self) -> Result<(), EngineError> {
        let rows = self.rows();
        self.pass.run(&rows, &mut self.sequences);
        self.note_cached(&rows);
        let mut done = Vec::new();
        let sampled = rows.iter().filter(|row| row.sampled).map(|row| row.sequence);
        for (index, logits) in sampled.zip(self.pass.logits.chunks_exact(self.model.config.vocab_size)) {
            let sequence = &mut self.sequences[index];
            let (temperature, uniform) = (sequence.request.temperature, sequence.uniform());
            let choice = time(Work::Choosing, || choose(logits, temperature, uniform, &mut self.weights))
                .ok_or(EngineError::NotFinite { what: "the model's output" })?;
            self.queue.token(sequence.request.id, choice.id);
            if sequence.push(choice, self.model.config.max_position_embeddings) {
                done.push(index);
            }
        }
        done.sort_unstable();
        for index in done.into_iter().rev() {
            // In order: sequences that came together often share blocks, which then are in the processor's caches.
            let sequence = self.sequences.remove(index);
            let request = sequence.request.clone();
            let (sampled, cache) = sequence.finish();
            self.leave(&request, sampled, cache);
        }
        Ok(())
    }

    /// What to compute: the last id of every decoding sequence, and some of the prompts.
    fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut budget = PROMPT_ROWS;
        let mut in_flight = HashSet::new();
        for (index, sequence) in self.sequences.iter_mut().enumerate() {
            if sequence.pending() > 1 {
                let most = sequence.ids.len() - 1;
                self.sessions.extend(&mut sequence.cache, &sequence.ids, most);
            }
            let begin = sequence.cache.ids.len();
            let reading = sequence.pending() > 1;
            let count = if reading { sequence.pending().min(budget) } else { 1 };
            // Another sequence is computing the same block; it can be shared after this step.
            let keys = keys(sequence, if reading { count } else { 0 });
            if keys.first().is_some_and(|key| in_flight.contains(key)) {
                continue;
            }
            in_flight.extend(keys);
            budget -= if reading { count } else { 0 };
            rows.extend((begin..begin + count).map(|position| Row {
                sequence: index,
                position,
                id: sequence.ids[position],
                sampled: position + 1 == sequence.ids.len(),
            }));
        }
        rows
    }

    /// Brings the caches up to date with what was computed, and shares their full blocks.
    fn note_cached(&mut self, rows: &[Row]) {
        for rows in rows.chunk_by(|a, b| a.sequence == b.sequence) {
            let cache = &mut self.sequences[rows[0].sequence].cache;
            let ids: Vec<u32> = rows.iter().map(|row| row.id).collect();
            for block in cache.extend(&ids) {
                self.sessions.share(&mut cache.blocks[block]);
            }
        }
    }

    fn leave(&self, request: &SampleRequest, sampled: Sampled, cache: Cache) {
        if !request.last {
            self.sessions.keep(request.session, cache);
        }
        self.queue.finish(request.id, sampled);
    }
}

/// Keys of the blocks that the next `count` ids of a sequence fill, if they begin a block.
fn keys(sequence: &Sequence, count: usize) -> Vec<u64> {
    let begin = sequence.cache.ids.len();
    if !begin.is_multiple_of(TOKENS) {
        return Vec::new();
    }
    let chunks = sequence.ids[begin..begin + count].chunks_exact(TOKENS);
    let next = |key: &mut u64, ids: &[u32]| {
        *key = key_after(*key, ids);
        Some(*key)
    };
    chunks.scan(sequence.cache.last_key(), next).collect()
}
