//! Which tasks an iteration works on: a quota per skill, each skill without replacement until all its tasks had their turn.
//!
//! Tasks of one pair come together. The sequence depends on the seed, the tasks and, with a curriculum, on what was observed: a
//! resumed run takes and observes once more what was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use basis_gym::episode::Episode;
use basis_gym::task::Task;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::curriculum::{CurriculumConfig, PassRates};

/// Gives the tasks of one iteration after the other.
pub struct Mixture {
    skills: Vec<Skill>,
    curriculum: CurriculumConfig,
    rates: PassRates,
}

/// Tasks that come together, by pair or task id.
type Units<'a> = BTreeMap<&'a str, Vec<Arc<Task>>>;

struct Skill {
    /// Tasks that come together.
    units: Vec<Vec<Arc<Task>>>,
    /// Units of this epoch that are still to come, by index.
    bag: VecDeque<usize>,
    /// How much of its next turn each unit outside the curriculum's band has earned.
    earned: Vec<f64>,
    /// Tasks per iteration.
    quota: usize,
    rng: ChaCha8Rng,
}

impl Mixture {
    /// A mixture of `tasks` in which `quota` says how many tasks of a skill an iteration gets.
    ///
    /// The order of `tasks` does not matter. A skill with fewer tasks than its quota gives all it has.
    pub fn new(tasks: &[Arc<Task>], quota: &dyn Fn(&str) -> usize, curriculum: CurriculumConfig, seed: u64) -> Self {
        let mut skills: BTreeMap<&str, Units<'_>> = BTreeMap::new();
        for task in tasks {
            let unit = if task.pair.is_empty() { &task.id } else { &task.pair };
            skills.entry(&task.skill).or_default().entry(unit).or_default().push(Arc::clone(task));
        }
        let skill = |(stream, (name, units)): (usize, (&str, Units<'_>))| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            let units: Vec<_> = units.into_values().map(sorted).collect();
            let earned = vec![0.0; units.len()];
            Skill { units, bag: VecDeque::new(), earned, quota: quota(name), rng }
        };
        let skills = skills.into_iter().enumerate().map(skill).collect();
        Self { skills, curriculum, rates: PassRates::default() }
    }

    /// The tasks of the next iteration, skill by skill; no task twice.
    pub fn take(&mut self) -> Vec<Arc<Task>> {
        let Self { skills, curriculum, rates } = self;
        let is_inside = |unit: &[Arc<Task>]| rates.is_inside(unit.iter().map(|task| task.id.as_str()), curriculum);
        let turn = |unit: &[Arc<Task>]| if is_inside(unit) { 1.0 } else { curriculum.outside };
        skills.iter_mut().flat_map(|skill| skill.take(&turn)).collect()
    }

    /// Takes note of how well the tasks of an iteration were solved. What is taken depends on what was observed before.
    pub fn observe(&mut self, episodes: &[Episode]) {
        self.rates.observe(episodes);
    }
}

impl Skill {
    /// `turn` says how much of its next turn a unit earns in an epoch, up to 1.
    fn take(&mut self, turn: &dyn Fn(&[Arc<Task>]) -> f64) -> Vec<Arc<Task>> {
        let mut taken = BTreeSet::new();
        let mut tasks = Vec::new();
        while tasks.len() < self.quota && taken.len() < self.units.len() {
            let unit = self.next_unit(&taken, turn);
            taken.insert(unit);
            tasks.extend(self.units[unit].iter().cloned());
        }
        tasks
    }

    /// A unit that was already taken in this iteration, at the turn of an epoch, keeps its place in the bag.
    fn next_unit(&mut self, taken: &BTreeSet<usize>, turn: &dyn Fn(&[Arc<Task>]) -> f64) -> usize {
        while self.bag.iter().all(|unit| taken.contains(unit)) {
            let mut epoch: Vec<usize> = (0..self.units.len()).collect();
            epoch.shuffle(&mut self.rng);
            epoch.retain(|unit| {
                self.earned[*unit] += turn(&self.units[*unit]);
                // Ten times 0.1 is a little less than 1.
                let comes = self.earned[*unit] > 1.0 - 1e-9;
                if comes {
                    self.earned[*unit] = 0.0;
                }
                comes
            });
            self.bag.extend(epoch);
        }
        let at = self.bag.iter().position(|unit| !taken.contains(unit)).expect("fewer units are taken than there are");
        self.bag.remove(at).expect("the position is in the bag")
    }
}

fn sorted(mut tasks: Vec<Arc<Task>>) -> Vec<Arc<Task>> {
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::task;

    fn ids(tasks: &[Arc<Task>]) -> Vec<&str> {
        tasks.iter().map(|task| task.id.as_str()).collect()
    }

    fn pack() -> Vec<Arc<Task>> {
        let edit = (0..7).map(|n| task("edit", &format!("e{n}"), ""));
        let review = (0..6).map(|n| task("review", &format!("r{n}"), &format!("pair{}", n / 2)));
        edit.chain(review).map(Arc::new).collect()
    }

    #[test]
    fn every_task_has_its_turn_before_one_comes_again() {
        let mut mixture = Mixture::new(&pack(), &|skill| usize::from(skill == "edit"), CurriculumConfig::default(), 1);
        for _ in 0..3 {
            let epoch: BTreeSet<String> = (0..7).map(|_| mixture.take()[0].id.clone()).collect();
            assert_eq!(epoch.len(), 7);
        }
    }

    #[test]
    fn an_iteration_has_its_quota_of_every_skill_and_no_task_twice() {
        let mut mixture = Mixture::new(&pack(), &|_| 4, CurriculumConfig::default(), 1);
        for _ in 0..20 {
            let tasks = mixture.take();
            let distinct: BTreeSet<&str> = ids(&tasks).into_iter().collect();
            assert_eq!((tasks.len(), distinct.len()), (8, 8));
            let pairs: BTreeSet<&str> = tasks.iter().map(|task| task.pair.as_str()).collect();
            assert_eq!(pairs.len(), 3, "two pairs and the empty one");
        }
    }

    #[test]
    fn a_small_skill_gives_all_it_has() {
        let mut mixture = Mixture::new(&pack(), &|_| 100, CurriculumConfig::default(), 1);
        assert_eq!(mixture.take().len(), 13);
        assert_eq!(mixture.take().len(), 13);
    }

    #[test]
    fn the_order_of_the_tasks_does_not_matter() {
        let mut first = Mixture::new(&pack(), &|_| 3, CurriculumConfig::default(), 9);
        let mut reversed = pack();
        reversed.reverse();
        let mut second = Mixture::new(&reversed, &|_| 3, CurriculumConfig::default(), 9);
        for mixture in [&mut first, &mut second] {
            mixture.take();
            mixture.take();
        }
        assert_eq!(ids(&first.take()), ids(&second.take()));
    }

    #[test]
    fn a_quota_of_zero_leaves_a_skill_out() {
        let mut mixture =
            Mixture::new(&pack(), &|skill| if skill == "edit" { 2 } else { 0 }, CurriculumConfig::default(), 1);
        assert!(mixture.take().iter().all(|task| task.skill == "edit"));
    }

    #[test]
    fn a_task_outside_the_band_comes_in_its_share_of_epochs() {
        let curriculum = CurriculumConfig { low: 0.1, high: 0.9, outside: 0.25 };
        let mut mixture = Mixture::new(&pack(), &|skill| usize::from(skill == "edit"), curriculum, 1);
        for easy in ["e0", "e1"] {
            mixture.observe(&[crate::testing::episode("edit", easy, 1.0)]);
        }
        // Four epochs: five tasks inside, and each of the two others once.
        let taken: Vec<String> = (0..4 * 5 + 2).map(|_| mixture.take()[0].id.clone()).collect();
        let count = |id: &str| taken.iter().filter(|taken| *taken == id).count();
        assert_eq!((0..7).map(|n| count(&format!("e{n}"))).collect::<Vec<_>>(), [1, 1, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn when_every_task_is_outside_none_is_lost() {
        let curriculum = CurriculumConfig { low: 0.1, high: 0.9, outside: 0.1 };
        let mut mixture = Mixture::new(&pack(), &|_| 100, curriculum, 1);
        let solved: Vec<_> = pack().iter().map(|task| crate::testing::episode(&task.skill, &task.id, 1.0)).collect();
        mixture.observe(&solved);
        assert_eq!(mixture.take().len(), 13);
    }
}
