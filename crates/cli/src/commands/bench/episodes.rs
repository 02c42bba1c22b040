//! Episodes per second: the scripted teacher on generated packages, acted and graded.

use std::sync::Arc;
use std::time::Instant;

use basis_gym::episode::Grade;
use basis_gym::rollout::{Crew, Job, Roster, dispatch, seed};

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind};
use crate::packs::{self, Use};
use crate::{machine, policies};

/// Tasks of each skill.
const TASKS: usize = 20;
const SAMPLES: u32 = 2;

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let pack = packs::open(context, Use::HeldOut, TASKS)?;
    let workshop = Arc::new(packs::workshop(context, &[&pack])?);
    let policy = policies::teacher(workshop.clone(), context.settings.teacher.diligence);
    let job = |task: &Arc<basis_gym::task::Task>, sample| Job {
        task: task.clone(),
        sample,
        seed: seed(0, 0, &task.id, sample),
    };
    let jobs: Vec<Job> = pack.tasks.iter().flat_map(|task| (0..SAMPLES).map(move |sample| job(task, sample))).collect();
    let workers = machine::episodes(&context.settings);
    let (mut graded, mut invalid) = (0, 0);
    let start = Instant::now();
    let mut count = |episode: basis_gym::episode::Episode| match episode.grade {
        Grade::Scored(_) => graded += 1,
        Grade::Invalid(_) => invalid += 1,
    };
    let crew = Crew { player: (&policy).into(), world: workshop.as_ref(), workers, roster: &Roster::default() };
    dispatch(jobs, crew, &mut count, &context.stop);
    let seconds = start.elapsed().as_secs_f64();
    if invalid > 0 {
        return Err(Failure::new(Kind::Unexpected, format!("{invalid} episodes could not be graded")));
    }
    Figure { name: "episodes, acted and graded", value: f64::from(graded) / seconds, unit: "1/s", base: None }
        .print(context);
    Ok(())
}
