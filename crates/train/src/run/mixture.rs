//! Which tasks an iteration works on: a quota per skill, each skill without replacement until all its tasks had their turn.
//!
//! Tasks of one pair come together. The sequence depends on the seed and the tasks alone: a resumed run skips what was done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use basis_gym::task::Task;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Gives the tasks of one iteration after the other.
pub struct Mixture {
    skills: Vec<Skill>,
}

/// Tasks that come together, by pair or task id.
type Units<'a> = BTreeMap<&'a str, Vec<Arc<Task>>>;

struct Skill {
    /// Tasks that come together.
    units: Vec<Vec<Arc<Task>>>,
    /// Units of this epoch that are still to come, by index.
    bag: VecDeque<usize>,
    /// Tasks per iteration.
    quota: usize,
    rng: ChaCha8Rng,
}

impl Mixture {
    /// A mixture of `tasks` in which `quota` says how many tasks of a skill an iteration gets.
    ///
    /// The order of `tasks` does not matter. A skill with fewer tasks than its quota gives all it has.
    pub fn new(tasks: &[Arc<Task>], quota: &dyn Fn(&str) -> usize, seed: u64) -> Self {
        let mut skills: BTreeMap<&str, Units<'_>> = BTreeMap::new();
        for task in tasks {
            let unit = if task.pair.is_empty() { &task.id } else { &task.pair };
            skills.entry(&task.skill).or_default().entry(unit).or_default().push(Arc::clone(task));
        }
        let skill = |(stream, (name, units)): (usize, (&str, Units<'_>))| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            Skill { units: units.into_values().map(sorted).collect(), bag: VecDeque::new(), quota: quota(name), rng }
        };
        Self { skills: skills.into_iter().enumerate().map(skill).collect() }
    }

    /// The tasks of the next iteration, skill by skill; no task twice.
    pub fn take(&mut self) -> Vec<Arc<Task>> {
        self.skills.iter_mut().flat_map(Skill::take).collect()
    }

    /// Forgets the next `iterations`.
    pub fn skip(&mut self, iterations: u32) {
        (0..iterations).for_each(|_| drop(self.take()));
    }
}

impl Skill {
    fn take(&mut self) -> Vec<Arc<Task>> {
        let mut taken = BTreeSet::new();
        let mut tasks = Vec::new();
        while tasks.len() < self.quota && taken.len() < self.units.len() {
            let unit = self.next_unit(&taken);
            taken.insert(unit);
            tasks.extend(self.units[unit].iter().cloned());
        }
        tasks
    }

    /// A unit that was already taken in this iteration, at the turn of an epoch, keeps its place in the bag.
    fn next_unit(&mut self, taken: &BTreeSet<usize>) -> usize {
        if self.bag.iter().all(|unit| taken.contains(unit)) {
            let mut epoch: Vec<usize> = (0..self.units.len()).collect();
            epoch.shuffle(&mut self.rng);
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
        let mut mixture = Mixture::new(&pack(), &|skill| usize::from(skill == "edit"), 1);
        for _ in 0..3 {
            let epoch: BTreeSet<String> = (0..7).map(|_| mixture.take()[0].id.clone()).collect();
            assert_eq!(epoch.len(), 7);
        }
    }

    #[test]
    fn an_iteration_has_its_quota_of_every_skill_and_no_task_twice() {
        let mut mixture = Mixture::new(&pack(), &|_| 4, 1);
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
        let mut mixture = Mixture::new(&pack(), &|_| 100, 1);
        assert_eq!(mixture.take().len(), 13);
        assert_eq!(mixture.take().len(), 13);
    }

    #[test]
    fn a_skipped_mixture_goes_on_where_the_other_would() {
        let mut first = Mixture::new(&pack(), &|_| 3, 9);
        let mut reversed = pack();
        reversed.reverse();
        let mut second = Mixture::new(&reversed, &|_| 3, 9);
        first.take();
        first.take();
        second.skip(2);
        assert_eq!(ids(&first.take()), ids(&second.take()));
    }

    #[test]
    fn a_quota_of_zero_leaves_a_skill_out() {
        let mut mixture = Mixture::new(&pack(), &|skill| if skill == "edit" { 2 } else { 0 }, 1);
        assert!(mixture.take().iter().all(|task| task.skill == "edit"));
    }
}
