//! The jobs that have not been started: skills take turns, so that the long episodes of one do not hold up the others.
//!
//! The next job is one of the skill that has the fewest episodes at work, and of these of the one that has had the least of
//! the workers' time. Samples of one task stay together, because engines read their common prompt once. Which job comes
//! first decides nothing about how it comes out: that follows from its seed.

use std::collections::VecDeque;
use std::time::Duration;

use super::Job;

/// The jobs, by skill in the order in which the skills first appear.
#[derive(Debug, Default)]
pub struct Queue {
    skills: Vec<Skill>,
    /// The skill and task of the job that was handed out last.
    last: Option<(usize, String)>,
}

#[derive(Debug)]
struct Skill {
    name: String,
    jobs: VecDeque<Job>,
    running: usize,
    spent: Duration,
}

impl Queue {
    /// A queue of these jobs.
    pub fn new(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut queue = Self::default();
        for job in jobs {
            let known = queue.skills.iter().position(|skill| skill.name == job.task.skill);
            let index = known.unwrap_or_else(|| queue.add(&job.task.skill));
            queue.skills[index].jobs.push_back(job);
        }
        queue
    }

    fn add(&mut self, name: &str) -> usize {
        let name = name.to_owned();
        self.skills.push(Skill { name, jobs: VecDeque::new(), running: 0, spent: Duration::ZERO });
        self.skills.len() - 1
    }

    /// The job to start now.
    pub fn take_next(&mut self) -> Option<Job> {
        let index = self.same_task().or_else(|| self.whose_turn())?;
        let skill = &mut self.skills[index];
        let job = skill.jobs.pop_front()?;
        skill.running += 1;
        self.last = Some((index, job.task.id.clone()));
        Some(job)
    }

    /// Takes note that a job has ended, and how long it took.
    pub fn ended(&mut self, skill: &str, time: Duration) {
        if let Some(skill) = self.skills.iter_mut().find(|known| known.name == skill) {
            skill.running -= 1;
            skill.spent += time;
        }
    }

    /// How many jobs were never started.
    pub fn len(&self) -> usize {
        self.skills.iter().map(|skill| skill.jobs.len()).sum()
    }

    /// Whether every job was started.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn same_task(&self) -> Option<usize> {
        let (index, task) = self.last.as_ref()?;
        let next = self.skills[*index].jobs.front()?;
        (next.task.id == *task).then_some(*index)
    }

    fn whose_turn(&self) -> Option<usize> {
        let waiting = self.skills.iter().enumerate().filter(|(_, skill)| !skill.jobs.is_empty());
        waiting.min_by_key(|(_, skill)| (skill.running, skill.spent)).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::task::Task;
    use crate::testkit::task;

    fn jobs(of: &[(&str, &str, u32)]) -> Vec<Job> {
        let job = |skill: &str, id: &str, sample| {
            let task = Task { id: id.to_owned(), skill: skill.to_owned(), ..task() };
            Job { task: Arc::new(task), sample, seed: 0 }
        };
        of.iter().flat_map(|(skill, id, samples)| (0..*samples).map(|sample| job(skill, id, sample))).collect()
    }

    fn take(queue: &mut Queue, count: usize) -> String {
        let taken = (0..count).map_while(|_| queue.take_next());
        taken.map(|job| format!("{}{}", job.task.id, job.sample)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn skills_take_turns_and_samples_of_a_task_stay_together() {
        let mut queue = Queue::new(jobs(&[("edit", "a", 2), ("edit", "b", 2), ("review", "c", 2), ("review", "d", 1)]));
        assert_eq!(queue.len(), 7);
        assert_eq!(take(&mut queue, 9), "a0 a1 c0 c1 b0 b1 d0");
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_skill_whose_episodes_take_long_does_not_hold_up_the_others() {
        let mut queue = Queue::new(jobs(&[
            ("slow", "s", 1),
            ("slow", "t", 1),
            ("slow", "u", 1),
            ("fast", "f", 1),
            ("fast", "g", 1),
        ]));
        assert_eq!(take(&mut queue, 2), "s0 f0");
        queue.ended("fast", Duration::from_secs(1));
        assert_eq!(take(&mut queue, 1), "g0", "the slow one is still at work");
        queue.ended("fast", Duration::from_secs(1));
        queue.ended("slow", Duration::from_secs(60));
        assert_eq!(take(&mut queue, 2), "t0 u0", "nobody else waits");
    }
}
