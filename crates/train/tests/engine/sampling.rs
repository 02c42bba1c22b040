//! Sampling: the same probabilities as `forward`, and results that depend on the request alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use basis_train::engines::local::Config;
use basis_train::engines::{Datum, Engine, EngineError, Next, SampleQueue, SampleRequest, Sampled};

use crate::support::{
    assert_alike, each_engine, each_engine_on, fixture, fresh, numbers, odd_config, request, sample, sample_all,
};

/// Both compute in fp32; sums run in different orders.
const TOLERANCE: f32 = 1e-4;

/// Checks the reported log-probabilities of a continuation against `forward`.
fn assert_logprobs(engine: &mut dyn Engine, prompt: &[u32], sampled: &Sampled) {
    let ids = [prompt, &sampled.tokens].concat();
    let recomputed = engine.forward(&[Datum { ids, ..Datum::default() }]).unwrap().remove(0);
    assert_eq!(sampled.tokens.len(), sampled.logprobs.len());
    for (reported, recomputed) in sampled.logprobs.iter().zip(&recomputed[prompt.len() - 1..]) {
        assert!((reported - recomputed).abs() < TOLERANCE, "{reported} {recomputed}");
    }
}

fn prompts(vocab: u32) -> Vec<Vec<u32>> {
    let mut number = numbers(3, vocab);
    [1, 2, 31, 32, 33, 64, 65, 90].map(|length| (0..length).map(|_| number()).collect()).to_vec()
}

#[test]
fn sampled_logprobs_are_those_that_forward_computes() {
    each_engine(2, |mut engine| {
        let prompts = prompts(64);
        let requests = prompts.iter().enumerate().map(|(id, prompt)| request(id as u64, prompt.clone(), 40));
        let results = sample_all(&mut *engine, requests.collect());
        for (id, prompt) in prompts.iter().enumerate() {
            let sampled = &results[&(id as u64)];
            assert_eq!((sampled.tokens.len(), sampled.stopped), (40.min(128 - prompt.len()), false));
            assert_logprobs(&mut *engine, prompt, sampled);
        }
    });
}

#[test]
fn sizes_that_no_vector_divides_and_an_untied_head_work() {
    let dir = tempfile::tempdir().unwrap();
    fresh(odd_config(), dir.path());
    each_engine_on(dir.path(), 2, |mut engine| {
        let prompts = prompts(37);
        let requests = prompts.iter().enumerate().map(|(id, prompt)| request(id as u64, prompt.clone(), 50));
        let results = sample_all(&mut *engine, requests.collect());
        for (id, prompt) in prompts.iter().enumerate() {
            assert_logprobs(&mut *engine, prompt, &results[&(id as u64)]);
        }
    });
}

#[test]
fn a_result_depends_on_neither_the_batch_nor_the_threads() {
    for threads in [1, 3] {
        each_engine(threads, |mut engine| {
            let requests: Vec<_> =
                prompts(64).into_iter().enumerate().map(|(id, prompt)| request(id as u64, prompt, 30)).collect();
            let together = sample_all(&mut *engine, requests.clone());
            for request in requests {
                let id = request.id;
                let alone = sample_all(&mut *engine, vec![request]);
                assert_alike(&*engine, &alone[&id], &together[&id]);
            }
        });
    }
}

#[test]
fn sequences_with_the_same_prompt_differ_by_seed_alone() {
    each_engine(2, |mut engine| {
        let prompt = prompts(64).pop().unwrap();
        let mut requests: Vec<_> = (0..12).map(|id| request(id, prompt.clone(), 20)).collect();
        requests[11].seed = requests[10].seed;
        let results = sample_all(&mut *engine, requests);
        assert_alike(&*engine, &results[&10], &results[&11]);
        assert_ne!(results[&9].tokens, results[&10].tokens);
        results.values().for_each(|sampled| assert_logprobs(&mut *engine, &prompt, sampled));
    });
}

#[test]
fn what_others_said_before_changes_no_result_whether_it_is_remembered_or_too_large_for_that() {
    let dir = tempfile::tempdir().unwrap();
    fresh(Config { vocab_size: 5000, ..odd_config() }, dir.path());
    for model in [fixture(), dir.path().to_owned()] {
        each_engine_on(&model, 2, |mut engine| {
            // Beginnings that end inside of a block, at its end and after it; low temperatures, so that many go on alike.
            let prompts: Vec<Vec<u32>> = [20, 32, 33, 50].map(|length| (0..length).map(|id| id % 7).collect()).to_vec();
            let requests = (0..24).map(|id| {
                let mut request = request(id, prompts[id as usize % 4].clone(), 60);
                (request.temperature, request.seed) = (0.3, id / 8);
                request
            });
            let together = sample_all(&mut *engine, requests.clone().collect());
            for request in requests.step_by(5) {
                let id = request.id;
                let alone = sample_all(&mut *engine, vec![request]);
                assert_alike(&*engine, &together[&id], &alone[&id]);
            }
        });
    }
}

#[test]
fn a_session_that_goes_on_samples_as_if_it_were_new() {
    each_engine(2, |mut engine| {
        // Turns of one session: what was sampled, then ids from elsewhere; the third turn rewrites what the second said.
        let first = prompts(64).remove(2);
        let ids = std::sync::Mutex::new(first.clone());
        let turn = AtomicUsize::new(0);
        let follow = |id: u64, sampled: &Sampled| {
            let mut ids = ids.lock().unwrap();
            ids.extend(&sampled.tokens);
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            let cut = ids.len() - if turn == 1 { 7 } else { 0 };
            ids.truncate(cut);
            ids.extend([5, 6, 7]);
            let mut next = request(id + 100, ids.clone(), 9);
            (next.session, next.last) = (0, turn == 3);
            (turn < 4).then_some(next)
        };
        let mut start = request(0, first, 9);
        start.last = false;
        let results = sample(&mut *engine, vec![start], &follow);
        assert_eq!(results.len(), 5);
        let all = ids.into_inner().unwrap();
        let last = &results[&400];
        let prompt = &all[..all.len() - 3 - last.tokens.len()];
        let new = sample_all(&mut *engine, vec![request(400, prompt.to_vec(), 9)]);
        assert_alike(&*engine, &new[&400], last);
    });
}

#[test]
fn sampling_ends_after_a_stop_id_and_at_the_context() {
    each_engine(1, |mut engine| {
        let mut stopping = request(0, vec![1, 2, 3], 1000);
        stopping.stop = (0..64).filter(|id| id % 5 == 0).collect();
        let results = sample_all(
            &mut *engine,
            vec![stopping.clone(), request(1, vec![4; 120], 1000), request(2, vec![4; 128], 5), request(3, vec![1], 0)],
        );
        let (last, before) = results[&0].tokens.split_last().unwrap();
        assert!(results[&0].stopped && last % 5 == 0 && before.iter().all(|id| id % 5 != 0));
        assert_eq!((results[&1].tokens.len(), results[&1].stopped), (8, false));
        assert_eq!((results[&2].tokens.len(), results[&3].tokens.len()), (0, 0));
    });
}

#[test]
fn temperature_zero_takes_the_most_likely_id() {
    each_engine(1, |mut engine| {
        let mut greedy = request(0, vec![9, 8, 7], 12);
        greedy.temperature = 0.0;
        let sampled = &sample_all(&mut *engine, vec![greedy])[&0];
        let mut ids = vec![9, 8, 7];
        for (&token, &logprob) in sampled.tokens.iter().zip(&sampled.logprobs) {
            let with = |last: u32| Datum { ids: [&ids[..], &[last]].concat(), ..Datum::default() };
            let all: Vec<Datum> = (0..64).map(with).collect();
            let others = engine.forward(&all).unwrap();
            assert!(others.iter().all(|other| *other.last().unwrap() <= logprob + TOLERANCE));
            ids.push(token);
        }
    });
}

#[test]
fn requests_that_cannot_be_served_are_errors() {
    struct One(std::sync::Mutex<Option<SampleRequest>>);
    impl SampleQueue for One {
        fn next(&self, _: bool) -> Next {
            self.0.lock().unwrap().take().map_or(Next::Closed, Next::Request)
        }
        fn finish(&self, _: u64, _: Sampled) {}
    }
    let dir = tempfile::tempdir().unwrap();
    fresh(Config { vocab_size: 10, ..odd_config() }, dir.path());
    each_engine_on(dir.path(), 2, |mut engine| {
        let mut serve = |prompt: Vec<u32>| engine.sample(&One(std::sync::Mutex::new(Some(request(4, prompt, 3)))));
        let text = |result: Result<(), EngineError>| result.unwrap_err().to_string();
        assert_eq!(text(serve(vec![])), "request 4: the prompt is empty, expected at least one id");
        assert_eq!(text(serve(vec![1, 10])), "request 4: id 10 is outside the vocabulary of 10");
        assert!(serve(vec![1, 9]).is_ok());
    });
}
