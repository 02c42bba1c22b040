//! Puts a package together: modules from the bottom up, where an upper one may call functions of lower ones.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cases::Cases;
use super::evaluator::Program;
use super::fragment::Fragment;
use super::template::{Signature, Template};
use super::vocabulary::Names;
use super::{Generated, GeneratedFunction, Split, render};

/// Lines of a module.
const LINES: std::ops::RangeInclusive<usize> = 25..=45;

/// Functions of a package.
const FUNCTIONS: std::ops::RangeInclusive<usize> = 5..=12;

/// Functions in the longest chain of calls.
const DEPTH: usize = 3;

/// Parameters of a function at most.
const PARAMETERS: usize = 4;

/// A package before it becomes files.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) modules: Vec<Module>,
}

/// A module before it becomes a file.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) functions: Vec<(Fragment, Cases)>,
}

/// The package of a seed.
pub(super) fn generate(seed: u64, split: Split) -> Generated {
    let key = blake3::hash(format!("generated package 1 {split:?} {seed}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    let package = std::iter::repeat_with(|| Builder::new(split, &mut rng).build()).flatten().next();
    let package = package.expect("the attempts never end");
    let functions = package.modules.iter().flat_map(|module| {
        let module_path = module.path(&package.name);
        module.functions.iter().map(move |(fragment, cases)| GeneratedFunction {
            module_path: module_path.clone(),
            name: fragment.name.clone(),
            template: fragment.template.name.clone(),
            inputs: cases.inputs.clone(),
            mutants: cases.mutants,
            killed: cases.killed,
        })
    });
    Generated { functions: functions.collect(), project: render::project(&package, seed, split) }
}

impl Module {
    /// The file of the module in a package.
    pub(super) fn path(&self, package: &str) -> String {
        format!("{package}/{}.py", self.name)
    }
}

/// A package that grows.
struct Builder<'rng> {
    split: Split,
    rng: &'rng mut ChaCha8Rng,
    names: Names,
    program: Program,
    modules: Vec<Module>,
    /// Templates that were not used yet.
    fresh: Vec<&'static Template>,
    /// Templates of which there are two functions.
    decoys: Vec<String>,
}

impl<'rng> Builder<'rng> {
    fn new(split: Split, rng: &'rng mut ChaCha8Rng) -> Self {
        let mut fresh: Vec<&'static Template> = Template::all(split).iter().collect();
        fresh.shuffle(rng);
        let (names, program) = (Names::new(split), Program::default());
        Self { split, rng, names, program, modules: Vec::new(), fresh, decoys: Vec::new() }
    }

    /// The package, or nothing if it came out too small or too large.
    fn build(mut self) -> Option<Package> {
        let name = self.names.package(self.rng);
        let count = *[2, 3, 3, 3, 4, 4, 5].choose(self.rng).expect("not empty");
        for _ in 0..count {
            let module = Module { name: self.names.module(self.rng), functions: Vec::new() };
            self.modules.push(module);
            self.fill_module(&name)?;
        }
        let functions: usize = self.modules.iter().map(|module| module.functions.len()).sum();
        let is_chained = self.functions().any(|fragment| fragment.depth > 1);
        (FUNCTIONS.contains(&functions) && is_chained).then_some(Package { name, modules: self.modules })
    }

    fn fill_module(&mut self, package: &str) -> Option<()> {
        for _ in 0..40 {
            let Some(fragment) = self.fragment() else { continue };
            let Some(lines) = self.add(package, fragment) else { continue };
            let functions: usize = self.modules.iter().map(|module| module.functions.len()).sum();
            if functions > *FUNCTIONS.end() {
                return None;
            }
            if lines >= *LINES.start() && (lines + 12 > *LINES.end() || self.rng.random_bool(0.6)) {
                return Some(());
            }
        }
        None
    }

    /// Adds a function with its cases to the last module, if it fits; gives the lines of the module.
    fn add(&mut self, package: &str, fragment: Fragment) -> Option<usize> {
        let position = self.modules.len() - 1;
        self.modules[position].functions.push((fragment, Cases::default()));
        let lines = render::module_lines(package, &self.modules[position], &self.modules);
        let (fragment, _) = self.modules[position].functions.pop()?;
        let mut program = self.program.clone();
        let loaded = program.load(fragment.constant.as_deref().unwrap_or_default());
        let loaded = loaded.and_then(|()| program.load(&fragment.text));
        loaded.unwrap_or_else(|stop| unreachable!("`{}`: {stop:?}", fragment.template.name));
        let cases = if lines > *LINES.end() { None } else { Cases::choose(&program, &fragment, self.rng) }?;
        self.program = program;
        if fragment.is_decoy {
            self.decoys.push(fragment.template.name.clone());
        }
        self.modules[position].functions.push((fragment, cases));
        Some(lines)
    }

    /// A draw of a function for the last module.
    fn fragment(&mut self) -> Option<Fragment> {
        let is_upper = self.modules.len() > 1;
        let is_first = self.modules.last()?.functions.is_empty();
        let calls = is_upper && (is_first || self.rng.random_bool(0.5));
        let sibling = if is_upper && !calls && self.rng.random_bool(0.3) { self.sibling() } else { None };
        let (template, callees) = match &sibling {
            Some(sibling) => (sibling.template, Vec::new()),
            None => self.template(calls)?,
        };
        let callees: Vec<&Fragment> = callees.iter().collect();
        let like = sibling.as_ref().map(|sibling| sibling.name.as_str());
        let fragment = Fragment::fill(template, &callees, like, self.split, &mut self.names, self.rng);
        if sibling.as_ref().is_some_and(|sibling| sibling.literals == fragment.literals) {
            return None;
        }
        self.fresh.retain(|fresh| fresh.name != template.name);
        Some(fragment)
    }

    /// A template that was not used yet, with functions that it can call.
    fn template(&mut self, calls: bool) -> Option<(&'static Template, Vec<Fragment>)> {
        let fresh = self.fresh.clone();
        let mut fitting = fresh.into_iter().filter(|template| template.is_leaf() != calls);
        fitting.find_map(|template| Some((template, self.callees(template)?)))
    }

    fn functions(&self) -> impl Iterator<Item = &Fragment> {
        self.modules.iter().flat_map(|module| module.functions.iter().map(|(fragment, _)| fragment))
    }

    /// A leaf of a lower module that gets a decoy: the same with other constants and a similar name, which nothing calls.
    fn sibling(&mut self) -> Option<Fragment> {
        let lower = self.modules.split_last().map_or(&[][..], |(_, lower)| lower);
        let leaves = lower.iter().flat_map(|module| module.functions.iter().map(|(fragment, _)| fragment));
        let has_other = |leaf: &&Fragment| leaf.template.is_leaf() && !leaf.template.constants.is_empty();
        let leaves: Vec<&Fragment> =
            leaves.filter(|leaf| has_other(leaf) && !self.decoys.contains(&leaf.template.name)).collect();
        leaves.choose(self.rng).map(|leaf| (*leaf).clone())
    }

    /// Functions of lower modules that a template can call, those that nothing calls yet first.
    fn callees(&mut self, template: &Template) -> Option<Vec<Fragment>> {
        let lower = self.modules.split_last().map_or(&[][..], |(_, lower)| lower);
        let mut free: Vec<&Fragment> =
            lower.iter().flat_map(|module| module.functions.iter().map(|(fragment, _)| fragment)).collect();
        free.retain(|fragment| !fragment.is_decoy && fragment.depth < DEPTH);
        free.shuffle(self.rng);
        free.sort_by_key(|fragment| self.functions().any(|other| other.callees.contains(&fragment.name)));
        let mut chosen: Vec<Fragment> = Vec::new();
        for call in &template.calls {
            let is_fit = |fragment: &&&Fragment| {
                let is_new = chosen.iter().all(|known| known.name != fragment.name);
                let passes = chosen.first().filter(|_| call.is_open);
                is_new && fits(call, fragment) && passes.is_none_or(|first| first.arguments == fragment.arguments)
            };
            chosen.push((**free.iter().find(is_fit)?).clone());
        }
        let passed = chosen.first().filter(|_| template.signature.is_open).map_or(0, |first| first.arguments.len());
        (passed + template.signature.arguments.len() <= PARAMETERS).then_some(chosen)
    }
}

fn fits(call: &Signature, fragment: &Fragment) -> bool {
    let wanted = call.arguments.iter().map(|kind| kind.python_type());
    let given = fragment.arguments.iter().map(|kind| kind.python_type());
    call.result.python_type() == fragment.template.signature.result.python_type() && (call.is_open || wanted.eq(given))
}
