//! What is left where a controller and its spawner die in the same moment, or the spawner cannot notice: it is listed, collected,
//! and swept when the next backend opens.

use std::time::{Duration, Instant};

use basis_sandbox::backends::Options;
use basis_sandbox::{Holding, SandboxError, backends};
use rustix::process::{Pid, Signal, kill_process};

use crate::controller::{Controller, Killed};
use crate::{PATIENCE, alone, time_to_open, traces, until_nothing_is_left};

#[test]
fn a_living_controller_is_listed_and_not_collected() {
    let _alone = alone();
    if time_to_open().is_none() {
        return;
    }
    let mut controller = Controller::start(1);
    controller.at_work();
    let holding = holding(controller.pid()).expect("listed");
    assert!(!holding.is_left);
    assert!(holding.processes >= 2, "a spawner and a keeper: {holding:?}");
    assert!(holding.command.contains("controller::controller"), "{holding:?}");
    let error = backends::collect(&holding, &Options::default()).expect_err("refused").to_string();
    assert!(error.ends_with("its controller is alive; end that process instead"), "{error}");
    until_nothing_is_left(&controller.kill());
}

#[test]
fn what_a_stopped_spawner_keeps_is_listed_and_collected() {
    let _alone = alone();
    if time_to_open().is_none() {
        return;
    }
    let killed = controller_with_a_stopped_spawner(2);
    let listed = || holding(killed.pid()).expect("listed");
    let start = Instant::now();
    while listed().sandboxes > 0 {
        assert!(start.elapsed() < PATIENCE, "boxes die without the spawner: {:?}", listed());
        std::thread::sleep(Duration::from_millis(2));
    }
    let holding = listed();
    assert!(holding.is_left && holding.command.is_empty(), "{holding:?}");
    backends::collect(&holding, &Options::default()).expect("collected");
    assert_eq!(killed.trace(), None);
    backends::collect(&holding, &Options::default()).expect("twice is fine");
}

#[test]
fn what_dies_with_its_spawner_is_swept_when_a_backend_opens() {
    let _alone = alone();
    if time_to_open().is_none() {
        return;
    }
    let killed = controller_with_a_stopped_spawner(3);
    let spawner = traces::helpers(killed.pid());
    assert_eq!(spawner.len(), 1);
    kill_process(Pid::from_raw(spawner[0]).expect("a number"), Signal::KILL).expect("killed");
    drop(backends::open("namespace").expect("opened"));
    until_nothing_is_left(&killed);
}

#[test]
fn what_nobody_holds_cannot_be_collected() {
    let nobodys = Holding {
        backend: "namespace",
        name: "basis-1".into(),
        controller: 1,
        command: String::new(),
        is_left: true,
        sandboxes: 0,
        processes: 0,
        memory_bytes: 0,
        remains: Vec::new(),
    };
    assert!(matches!(backends::collect(&nobodys, &Options::default()), Err(SandboxError::Spec { .. })));
}

#[test]
fn a_crowd_of_idle_sandboxes_goes_without_a_trace() {
    let _alone = alone();
    if time_to_open().is_none() {
        return;
    }
    let section = basis_sandbox::bench::crowd(50).expect("made");
    assert_eq!(section.targets.last().map(|target| target.measured), Some(0.0), "{}", section.render());
}

/// Kills a controller whose spawner cannot notice, and waits until nothing but that spawner runs.
fn controller_with_a_stopped_spawner(seed: u64) -> Killed {
    let mut controller = Controller::start(seed);
    controller.at_work();
    let spawner = traces::child(controller.pid(), "basis-sandbox-spawner");
    let spawner = Pid::from_raw(spawner.expect("it has one")).expect("a number");
    kill_process(spawner, Signal::STOP).expect("stopped");
    let killed = controller.kill();
    for _ in 0..2000 {
        if traces::helpers(killed.pid()) == [spawner.as_raw_nonzero().get()] {
            return killed;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("boxes and keepers live on: {:?}", traces::helpers(killed.pid()));
}

fn holding(controller: u32) -> Option<Holding> {
    let all = backends::holdings(&Options::default())
        .into_iter()
        .flat_map(|(_, holdings)| holdings.expect("/proc can be read"));
    all.into_iter().find(|holding| holding.controller == controller)
}
