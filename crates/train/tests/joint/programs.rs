//! A program of somebody else acts with the turns of the policy, in real sandboxes, and the policy learns from what was sampled for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use basis_gym::episode::{End, Episode, Grade, InvalidCause, Score, Submission};
use basis_gym::gateway::chain;
use basis_gym::program::ProgramConfig;
use basis_gym::rollout::{Provision, World};
use basis_gym::store::Recorder;
use basis_gym::task::Task;
use basis_sandbox::{Backend, Limits, Sandbox, SandboxSpec, backends};
use basis_train::engines::{Datum, Engine};
use basis_train::run::{Event, TrainConfig, Training, train};

use crate::world::{config, create, renderer, tasks, taught_engine};

/// Asks twice: in one conversation for a first thought, and once more with that thought left out.
const AGENT: &str = r#"
import json, os, sys, urllib.request
prompt = {"role": "user", "content": sys.stdin.read()}
for _ in range(2):
    body = json.dumps({"messages": [prompt], "temperature": 0, "seed": 1}).encode()
    turn = json.load(urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body))
print(turn["choices"][0]["message"]["content"])
"#;

/// Sandboxes without files; the task says which answer is right.
struct Rooms {
    layer: tempfile::TempDir,
    backend: Arc<dyn Backend>,
}

impl World for Rooms {
    fn sandbox(&self, task: &Task) -> Result<Box<dyn Sandbox>, InvalidCause> {
        self.sandbox_for_program(task, &Provision::default())
    }

    fn sandbox_for_program(&self, _: &Task, provision: &Provision) -> Result<Box<dyn Sandbox>, InvalidCause> {
        let spec = SandboxSpec {
            root: Vec::new(),
            layers: vec![self.layer.path().to_owned()],
            workdir: "/repo".into(),
            mounts: provision.mounts.clone(),
            env: [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into(),
            limits: Limits { wall: provision.wall.unwrap_or_default(), ..Limits::default() },
        };
        self.backend.create(&spec).map_err(|error| InvalidCause::Sandbox(error.to_string()))
    }

    fn grade(&self, task: &Task, submission: &Submission) -> Grade {
        let reward = f64::from(u8::from(task.hidden == submission.answer.as_str()));
        Grade::Scored(Score { reward, code: String::new(), detail: String::new(), table: Vec::new() })
    }
}

#[test]
fn what_was_sampled_for_a_program_is_trained_on_once() {
    let agent = tempfile::tempdir().expect("a directory");
    std::fs::write(agent.path().join("agent.py"), AGENT).expect("written");
    let layer = tempfile::tempdir().expect("a directory");
    let world = Rooms { layer, backend: backends::open("namespace").expect("this machine has namespaces") };
    let program = ProgramConfig {
        command: "python3 /agent/agent.py".to_owned(),
        directory: Some(agent.path().to_owned()),
        wall: Duration::from_secs(60),
        temperature: None,
    };
    let (renderer, root) = (renderer(), tempfile::tempdir().expect("a directory"));
    let mut engine = taught_engine(renderer.as_ref());
    let config = TrainConfig { iterations: 1, group: 6, ..config() };
    let edits: Vec<_> = tasks(0, 4).into_iter().filter(|task| task.skill == "edit").collect();
    let mut recorder = Recorder::open(&create(root.path())).expect("opens");
    let checkpoints = recorder.checkpoints();
    let mut trained = None;
    let report = train(Training {
        config: &config,
        tasks: &edits,
        probes: &[],
        world: &world,
        program: Some(&program),
        overdue: &|overdue| panic!("{overdue}"),
        engine: &mut engine,
        reference: None,
        sampler: None,
        renderer: &renderer,
        log: &mut recorder,
        checkpoints: &checkpoints,
        stop: &AtomicBool::new(false),
        events: &mut |event| {
            if let Event::Iteration { metrics, .. } = event {
                trained = metrics.iter().find(|(name, _)| name == "tokens/trained").map(|(_, value)| *value);
            }
        },
    })
    .expect("trains");
    assert_eq!(report.iterations, 1);
    let episodes = recorder.reader().expect("reads").episodes("train", 1).expect("are there");
    assert_eq!(episodes.len(), 24);
    let mut groups: BTreeMap<&str, Vec<&Episode>> = BTreeMap::new();
    for episode in &episodes {
        let record = episode.program.as_ref().expect("a program played it");
        assert_eq!((episode.end, record.turns, record.branches.len()), (Some(End::Submitted), 2, 1), "{episode:?}");
        assert_eq!((episode.policy.as_str(), record.drifts), ("program:basis", 0));
        groups.entry(&episode.task).or_default().push(episode);
    }
    // Only groups in which the reward differs teach; of them every sampled token counts once.
    let differs = |group: &&Vec<&Episode>| group.iter().any(|episode| episode.reward() != group[0].reward());
    let counted = |episode: &Episode| -> usize {
        episode.sequences().map(|sequence| sequence.counted().filter(|counted| *counted).count()).sum()
    };
    let expected: usize = groups.values().filter(differs).flatten().map(|episode| counted(episode)).sum();
    assert!(expected > 0, "some group has signal");
    assert_eq!(trained, Some(expected as f64));
    // The weights of the start give every sampled id the log-probability that was recorded, whatever the program asked for.
    let mut start = taught_engine(renderer.as_ref());
    let mut heads = std::collections::BTreeSet::new();
    for sequence in episodes.iter().flat_map(Episode::sequences) {
        let (ids, weights) = (sequence.trace.ids.clone(), vec![1.0; sequence.trace.ids.len() - 1]);
        let scored = start.forward(&[Datum { ids, weights, ..Datum::default() }]).expect("scores");
        for (at, _) in sequence.counted().enumerate().filter(|(_, counted)| *counted) {
            let (recorded, again) = (sequence.trace.logprobs[at], scored[0][at - 1]);
            assert!((recorded - again).abs() < 1e-4, "{recorded} was recorded, {again} it is");
        }
        heads.insert(chain::of(sequence.trace).to_string());
    }
    assert!(heads.len() > 1, "samples differ though the program asked for the same seed each time");
}
