//! Continuous batching: requests join the sequences that are being sampled and leave when they are done; each step computes one id of all.
//!
//! A request's prompt is computed beside those that came with it, a bounded number of ids at a time. Ids are chosen on the host, as `local`
//! chooses them, from the request's own seed; other sequences change a result by rounding alone.

use tch::Tensor;

use super::super::local::sampling::cache::Cache as Nothing;
use super::super::local::sampling::choose::{Choice, choose};
use super::super::local::sampling::sequence::{Sequence, check};
use super::super::{EngineError, Next, SampleQueue, SampleRequest, Sampled};
use super::cache::{self, Cache};
use super::decoder::Decoder;
use super::device::{read, size};
use super::head::Head;
use super::training::{Passes, embed};
use super::weights::{Layer, Weights};

/// Serves requests until the queue is closed and everything taken from it is finished.
pub(super) fn serve(passes: Passes, weights: Weights, queue: &dyn SampleQueue) -> Result<(), EngineError> {
    let recipe = passes.recipe;
    let sampler = Sampler {
        passes,
        queue,
        embedding: recipe.embedding(weights),
        layers: (0..recipe.layers()).map(|number| recipe.layer(weights, number)).collect(),
        head: Head::new(passes, weights),
        sequences: Vec::new(),
        cache: None,
        longest: 0,
        waiting: None,
    };
    sampler.run()
}

struct Sampler<'a> {
    passes: Passes<'a>,
    queue: &'a dyn SampleQueue,
    embedding: Tensor,
    layers: Vec<Layer>,
    head: Head<'a>,
    /// The rows of the cache.
    sequences: Vec<Sequence>,
    cache: Option<Cache>,
    /// Ids that one of the sequences may come to have.
    longest: usize,
    /// Taken from the queue, without room yet.
    waiting: Option<SampleRequest>,
}

impl Sampler<'_> {
    fn run(mut self) -> Result<(), EngineError> {
        loop {
            let (newcomers, closed) = self.take()?;
            if !newcomers.is_empty() {
                self.admit(newcomers)?;
            } else if !self.sequences.is_empty() {
                self.step()?;
            } else if closed {
                return Ok(());
            }
        }
    }

    /// Requests for which there is room, and whether no more will come.
    fn take(&mut self) -> Result<(Vec<Sequence>, bool), EngineError> {
        let Passes { config, recipe, limits, .. } = self.passes;
        let mut newcomers = Vec::new();
        loop {
            let count = self.sequences.len() + newcomers.len();
            let request = match self.waiting.take().map_or_else(|| self.queue.next(count == 0), Next::Request) {
                Next::Request(request) => request,
                Next::Empty => return Ok((newcomers, false)),
                Next::Closed => return Ok((newcomers, true)),
            };
            check(&request, config)?;
            let context = config.max_position_embeddings;
            if request.max_tokens == 0 || request.prompt.len() >= context {
                let nothing = Sampled { tokens: Vec::new(), logprobs: Vec::new(), stopped: false };
                self.queue.finish(request.id, nothing);
                continue;
            }
            let length = request.prompt.len().saturating_add(request.max_tokens).min(context);
            let longest = if count == 0 { length } else { length.max(self.longest) };
            let bytes = (count + 1) * longest * cache::bytes(config, recipe.products);
            let fits = count < limits.sequences && bytes <= limits.cache_bytes;
            if count > 0 && !fits {
                self.waiting = Some(request);
                return Ok((newcomers, false));
            }
            self.longest = longest;
            // Its own cache stays empty: keys and values are on the device.
            newcomers.push(Sequence::new(request, Nothing::default()));
        }
    }

    /// Computes the prompts of newcomers, and the first id of each.
    fn admit(&mut self, newcomers: Vec<Sequence>) -> Result<(), EngineError> {
        let longest = newcomers.iter().map(|sequence| sequence.ids.len()).max().expect("somebody came");
        let begins: Vec<usize> = newcomers.iter().map(|sequence| longest - sequence.ids.len()).collect();
        let padded = |(sequence, begin): (&Sequence, &usize)| [vec![0; *begin], sequence.ids.clone()].concat();
        let rows: Vec<Vec<u32>> = newcomers.iter().zip(&begins).map(padded).collect();
        let Passes { config, recipe, .. } = self.passes;
        let mut cache = Cache::new((config, recipe.products), begins, longest, self.embedding.device());
        let most = (self.passes.limits.prompt_ids / rows.len()).max(1);
        let mut last = None;
        for begin in (0..longest).step_by(most) {
            let columns = begin..(begin + most).min(longest);
            let ids = rows.iter().flat_map(|row| row[columns.clone()].iter().copied());
            last = Some(self.pass(ids, columns.len(), &mut cache));
        }
        let first = self.sequences.len();
        self.sequences.extend(newcomers);
        match &mut self.cache {
            Some(rows) => rows.join(cache),
            None => self.cache = Some(cache),
        }
        self.choose(first, &last.expect("prompts have ids"))
    }

    /// Computes the next id of all sequences.
    fn step(&mut self) -> Result<(), EngineError> {
        let mut cache = self.cache.take().expect("sequences have a cache");
        let ids = self.sequences.iter().map(|sequence| sequence.ids[sequence.ids.len() - 1]);
        let last = self.pass(ids, 1, &mut cache);
        self.cache = Some(cache);
        self.choose(0, &last)
    }

    /// Computes the next `count` ids of every row; gives the outputs of the last.
    fn pass(&self, ids: impl Iterator<Item = u32>, count: usize, cache: &mut Cache) -> Tensor {
        let Passes { config, recipe, angles, .. } = self.passes;
        let (rows, end) = (cache.begins().len(), cache.end());
        cache.reserve(count);
        let products = recipe.products;
        let decoder =
            Decoder { config, products, frame: angles.ragged(cache.begins(), end..end + count, cache.columns()) };
        let embedded = embed(&self.embedding, ids, rows);
        let output = self.layers.iter().enumerate().fold(embedded, |residual, (number, layer)| {
            decoder.layer(layer, &residual, |new| cache.write(number, new))
        });
        cache.advance(count);
        output.select(1, size(count - 1))
    }

    /// Chooses an id for the sequences from `first` on; those that are done leave.
    fn choose(&mut self, first: usize, last: &Tensor) -> Result<(), EngineError> {
        let config = self.passes.config;
        let logits = read(&self.head.logits(last))?;
        let mut done = Vec::new();
        let chosen = choose_each(&mut self.sequences[first..], &logits, config.vocab_size);
        for ((index, sequence), choice) in self.sequences.iter_mut().enumerate().skip(first).zip(chosen) {
            let choice = choice.ok_or(EngineError::NotFinite { what: "the model's output" })?;
            self.queue.token(sequence.request.id, choice.id);
            if sequence.push(choice, config.max_position_embeddings) {
                done.push(index);
            }
        }
        if !done.is_empty() {
            self.leave(&done);
        }
        Ok(())
    }

    fn leave(&mut self, done: &[usize]) {
        let rows: Vec<usize> = (0..self.sequences.len()).filter(|row| !done.contains(row)).collect();
        for &row in done.iter().rev() {
            let sequence = self.sequences.remove(row);
            let id = sequence.request.id;
            self.queue.finish(id, sequence.finish().0);
        }
        match &mut self.cache {
            Some(cache) if !rows.is_empty() => cache.keep(&rows),
            cache => *cache = None,
        }
    }
}

/// Chooses an id for each sequence from its logits; large vocabularies on all processors.
fn choose_each(sequences: &mut [Sequence], logits: &[f32], vocab: usize) -> Vec<Option<Choice>> {
    /// Logits that take one thread about a millisecond.
    const ENOUGH: usize = 1 << 18;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (logits.len() / ENOUGH).clamp(1, processors);
    let each = sequences.len().div_ceil(threads);
    let choose_some = |(sequences, logits): (&mut [Sequence], &[f32])| -> Vec<Option<Choice>> {
        let mut buffer = Vec::new();
        let pairs = sequences.iter_mut().zip(logits.chunks_exact(vocab));
        pairs.map(|(it, logits)| choose(logits, it.request.temperature, it.uniform(), &mut buffer)).collect()
    };
    let mut parts = sequences.chunks_mut(each).zip(logits.chunks(each * vocab));
    if threads == 1 {
        return parts.next().map(choose_some).unwrap_or_default();
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = parts.map(|part| scope.spawn(move || choose_some(part))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("choosing does not panic")).collect()
    })
}
