//! Which calls of a function its docstring shows and its tests check.
//!
//! Tests are chosen so that together they notice as many first-order mutations of the function as its inputs can show.

use std::collections::HashSet;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::evaluator::{Program, Stop, Value};
use super::fragment::Fragment;
use super::inputs::Arguments;
use crate::languages;
use crate::mutation;

/// Calls that are tried for one function.
const CANDIDATES: usize = 32;

/// A call with what it gives.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Arguments as source.
    pub(super) arguments: String,
    /// The result.
    pub(super) result: Value,
    values: Vec<Value>,
}

/// What is known about the behaviour of one function.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases {
    /// Two for the docstring.
    pub(super) examples: Vec<Case>,
    /// For the tests, one to two for each of three to five tests.
    pub(super) tests: Vec<Vec<Case>>,
    /// All arguments on which it has a result.
    pub(super) inputs: Vec<String>,
    /// Mutations that the inputs can show.
    pub(super) mutants: usize,
    /// Those of them that the tests show.
    pub(super) killed: usize,
}

impl Cases {
    /// Chooses cases for a function that `program` holds; `None` if its inputs or its results are too few or too large.
    pub(super) fn choose(program: &Program, fragment: &Fragment, rng: &mut impl Rng) -> Option<Self> {
        let candidates = candidates(program, fragment, rng);
        if candidates.len() < 12 || is_monotonous(&candidates) {
            return None;
        }
        let kills: Vec<Vec<bool>> = mutants(program, fragment)
            .iter()
            .map(|mutant| candidates.iter().map(|case| is_killed(mutant, fragment, case)).collect())
            .filter(|kills: &Vec<bool>| kills.contains(&true))
            .collect();
        let count = rng.random_range(3..=5) + rng.random_range(1..=3);
        let mut chosen = greedy(&kills, candidates.len(), count);
        let killed = kills.iter().filter(|kills| chosen.iter().any(|case| kills[*case])).count();
        chosen.shuffle(rng);
        let examples = examples(&candidates, &chosen)?;
        Some(Self {
            examples,
            tests: grouped(chosen.into_iter().map(|case| candidates[case].clone()).collect(), rng),
            inputs: candidates.into_iter().map(|case| case.arguments).collect(),
            mutants: kills.len(),
            killed,
        })
    }
}

/// Distinct calls with small results.
fn candidates(program: &Program, fragment: &Fragment, rng: &mut impl Rng) -> Vec<Case> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for _ in 0..CANDIDATES * 2 {
        let mut arguments = Arguments::new(rng, &fragment.numbers);
        let values: Vec<Value> = fragment.arguments.iter().map(|kind| arguments.next(*kind)).collect();
        let arguments = values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        if arguments.len() > 36 || !seen.insert(arguments.clone()) {
            continue;
        }
        match program.call(&fragment.name, &values) {
            Ok(result) if is_small(&result) => found.push(Case { arguments, result, values }),
            Err(Stop::Unsupported(what)) => unreachable!("`{}` uses {what}", fragment.template.name),
            _ => {}
        }
        if found.len() == CANDIDATES {
            break;
        }
    }
    found
}

/// Whether more than four fifths of the results are the same.
fn is_monotonous(candidates: &[Case]) -> bool {
    let alike = |case: &Case| candidates.iter().filter(|other| other.result.equals(&case.result)).count();
    candidates.iter().map(alike).max().unwrap_or(0) * 5 > candidates.len() * 4
}

fn is_small(result: &Value) -> bool {
    let text = result.to_string();
    let digits = text.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    text.len() <= 24 && digits <= 3 && !matches!(result, Value::None)
}

/// The program with each first-order mutation of the function, where the evaluator understands it.
fn mutants(program: &Program, fragment: &Fragment) -> Vec<Program> {
    let load = |mutation: mutation::Mutation| {
        let mut mutant = program.clone();
        mutant.load(&mutation.apply(&fragment.text)).ok().map(|()| mutant)
    };
    languages::mutations("module.py", &fragment.text).into_iter().filter_map(load).collect()
}

fn is_killed(mutant: &Program, fragment: &Fragment, case: &Case) -> bool {
    match mutant.call(&fragment.name, &case.values) {
        Ok(result) => !result.equals(&case.result),
        Err(Stop::Raised | Stop::TooLong) => true,
        Err(Stop::Unsupported(_)) => false,
    }
}

/// `count` calls, each the one that kills most of what the earlier ones do not; later ones kill again.
fn greedy(kills: &[Vec<bool>], candidates: usize, count: usize) -> Vec<usize> {
    let mut alive: Vec<usize> = (0..kills.len()).collect();
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < count {
        let gain = |case: usize| alive.iter().filter(|mutant| kills[**mutant][case]).count();
        let free = (0..candidates).filter(|case| !chosen.contains(case));
        let Some(best) = free.max_by_key(|case| (gain(*case), std::cmp::Reverse(*case))) else { break };
        alive.retain(|mutant| !kills[*mutant][best]);
        chosen.push(best);
    }
    chosen
}

/// Two calls with different results that no test makes.
fn examples(candidates: &[Case], chosen: &[usize]) -> Option<Vec<Case>> {
    let mut free = candidates.iter().enumerate().filter(|(case, _)| !chosen.contains(case)).map(|(_, case)| case);
    let first = free.next()?;
    let second = free.find(|case| !case.result.equals(&first.result))?;
    Some(vec![first.clone(), second.clone()])
}

/// Three to five tests with one or two calls each.
fn grouped(cases: Vec<Case>, rng: &mut impl Rng) -> Vec<Vec<Case>> {
    let count = cases.len().div_ceil(2).max(3).max(rng.random_range(3..=cases.len().clamp(3, 5)));
    let mut tests = vec![Vec::new(); count.min(cases.len())];
    let length = tests.len();
    for (position, case) in cases.into_iter().enumerate() {
        tests[position % length].push(case);
    }
    tests
}
