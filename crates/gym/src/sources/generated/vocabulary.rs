//! Words for names. The two splits share no word, and no word is used in two roles.

use std::collections::HashSet;

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::Split;

/// Words by role.
pub(super) struct Vocabulary {
    /// First words of packages.
    pub(super) places: &'static str,
    /// Second words of packages.
    pub(super) sites: &'static str,
    /// Names of modules.
    pub(super) modules: &'static str,
    /// First words of functions, and names of methods.
    pub(super) verbs: &'static str,
    /// Second words of functions, and words of classes and constants.
    pub(super) nouns: &'static str,
    /// Names of parameters, variables and attributes.
    pub(super) variables: &'static str,
}

const TRAIN: Vocabulary = Vocabulary {
    places: "oak elm fir ash bay cove dale glen hill lake marsh moor peak pond reef ridge river shore stone vale wood fern \
             moss sand",
    sites: "mill barn dock forge house lodge port shed shop stall tower works yard gate hut inn mine pier press quay",
    modules: "limits steps totals scores rates spans marks parts ranks tiers bands drops gains loads notes picks plans \
              ports rolls rows shares slots sorts stages tracks trims units waves zones bins cards cells fields grids \
              labels layers meters pools quotas ratios rules scales shifts sums tables tags tokens weights",
    verbs: "trim pick fold blend clamp shift merge carve rank score grade sift tally count pack load mark bend cut draw \
            fill fit give hold heap keep lift make move name pair pour pull push rate read save sort spin take tune turn \
            walk wrap bind cast",
    nouns: "crate panel batch parcel bucket ladder basket ticket pocket wheel kettle lantern engine bottle button candle \
            carpet castle copper cotton dinner donkey feather finger flower garden hammer harbor helmet hollow island \
            jacket kitten ladle magnet marble market meadow mirror needle orchard paddle pebble pepper pillow planet \
            potato puzzle rabbit ribbon saddle salmon shovel silver spider string summer sunset",
    variables: "value low high limit size width total item start end step base rest gap part left right top edge depth \
                level place mass price amount cost fee pay sheet first second third row col cell run best kept made \
                found group line word owner dot unit stock goal point ratio time day hour age cap room seat slot bag box \
                bit clue pos loop side half pile",
};

const HELD_OUT: Vocabulary = Vocabulary {
    places: "amber birch cedar delta ember flint grove haven ivory jade kelp larch maple north olive pine quartz rowan \
             slate thorn umber wind zinc coral",
    sites: "arch bank camp cabin depot fair farm hall yacht loft nest oven plaza ranch store tent vault well bridge court",
    modules: "bounds counts grades levels margins orders paths pieces points prices queues rings routes series shapes \
              sizes stacks strips supply target terms times trades trips vents views widths yields axes blocks bonds \
              codes costs cycles deals dials draws edges flows forms gauges groups hints joins kinds lanes lines",
    verbs: "clip weigh gauge stack blur chain cover crop drain dress drift drop flip frame grip guard hatch link lock \
            melt mend nudge order peel plot polish probe prune rinse reach reap roll scan seal seek shave shrink skim \
            slide smooth snap spread stamp stir stretch swap track twist",
    nouns: "anchor badge barrel beacon blanket blossom boulder branch cactus camera canyon cherry cliff cloud comet \
            cradle crystal curtain desert dragon drawer eagle falcon fiddle forest fossil falls glacier goblet guitar \
            hazel hornet jungle kernel lemon lizard lobster mango mitten monkey mosaic nugget otter oyster parrot peanut \
            pigeon piston pumpkin raven rocket sparrow temple tiger trumpet tunnel turtle velvet violin walnut",
    variables: "number floor ceiling bound length height whole entry begin finish stride root extra space piece west east \
                crown border rim tint site bulk worth tolls charge wage figure alpha beta gamma lane file \
                field streak prime saved built seen bunch phrase term label stem degree wish spot speed moment week \
                year lid hallway chair nook sack case chunk ident offset lap flank trio pail",
};

impl Vocabulary {
    /// The words of a split.
    pub(super) fn of(split: Split) -> &'static Self {
        match split {
            Split::Train => &TRAIN,
            Split::HeldOut => &HELD_OUT,
        }
    }
}

/// Draws names that are not taken yet.
pub(super) struct Names {
    vocabulary: &'static Vocabulary,
    taken: HashSet<String>,
    functions: Vec<String>,
}

impl Names {
    /// Starts a package.
    pub(super) fn new(split: Split) -> Self {
        Self { vocabulary: Vocabulary::of(split), taken: HashSet::new(), functions: Vec::new() }
    }

    /// The name of the package.
    pub(super) fn package(&self, rng: &mut impl Rng) -> String {
        format!("{}_{}", word(self.vocabulary.places, rng), word(self.vocabulary.sites, rng))
    }

    /// A new module name.
    pub(super) fn module(&mut self, rng: &mut impl Rng) -> String {
        self.fresh(|names| word(names.vocabulary.modules, rng).to_owned())
    }

    /// A new function name; it shares a word with `sibling`, if there is one, and now and then with another function.
    pub(super) fn function(&mut self, sibling: Option<&str>, rng: &mut impl Rng) -> String {
        let name = self.fresh(|names| {
            let (mut verb, mut noun) = (word(names.vocabulary.verbs, rng), word(names.vocabulary.nouns, rng));
            let known = names.functions.choose(rng).filter(|_| rng.random_bool(0.3)).map(String::as_str);
            if let Some((known_verb, known_noun)) = sibling.or(known).and_then(|known| known.split_once('_')) {
                if rng.random() { verb = known_verb } else { noun = known_noun }
            }
            format!("{verb}_{noun}")
        });
        self.functions.push(name.clone());
        name
    }

    /// A new class name.
    pub(super) fn class(&mut self, rng: &mut impl Rng) -> String {
        self.fresh(|names| {
            let (first, second) = (word(names.vocabulary.nouns, rng), word(names.vocabulary.nouns, rng));
            capitalised(first) + &capitalised(second)
        })
    }

    /// A new name for a constant of a module.
    pub(super) fn constant(&mut self, rng: &mut impl Rng) -> String {
        self.fresh(|names| {
            let (first, second) = (word(names.vocabulary.nouns, rng), word(names.vocabulary.variables, rng));
            format!("{first}_{second}").to_uppercase()
        })
    }

    fn fresh(&mut self, mut draw: impl FnMut(&Self) -> String) -> String {
        loop {
            let name = draw(self);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Draws names that are only unique inside of one function.
pub(super) struct Locals {
    vocabulary: &'static Vocabulary,
    taken: HashSet<String>,
}

impl Locals {
    /// Starts a function where `taken` are used already.
    pub(super) fn new(split: Split, taken: impl IntoIterator<Item = String>) -> Self {
        Self { vocabulary: Vocabulary::of(split), taken: taken.into_iter().collect() }
    }

    /// A new parameter, variable or attribute.
    pub(super) fn variable(&mut self, rng: &mut impl Rng) -> String {
        self.fresh(self.vocabulary.variables, rng)
    }

    /// A new method.
    pub(super) fn method(&mut self, rng: &mut impl Rng) -> String {
        self.fresh(self.vocabulary.verbs, rng)
    }

    fn fresh(&mut self, words: &'static str, rng: &mut impl Rng) -> String {
        loop {
            let name = word(words, rng);
            if self.taken.insert(name.to_owned()) {
                return name.to_owned();
            }
        }
    }
}

fn word(words: &'static str, rng: &mut impl Rng) -> &'static str {
    let words: Vec<&str> = words.split_whitespace().collect();
    words.choose(rng).expect("a list of words is not empty")
}

fn capitalised(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}
