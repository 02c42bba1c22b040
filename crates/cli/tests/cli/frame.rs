//! Help, settings and their mistakes.

use insta::assert_snapshot;

use crate::support::World;

#[test]
fn help_lists_commands_and_exit_codes() {
    assert_snapshot!(World::new().run(&["--help"]));
}

#[test]
fn every_command_has_help() {
    let world = World::new();
    let help = world.run(&["help"]);
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    // What is too long for one line goes on below, further to the right.
    let begun = commands.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = begun.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| *name != "help") {
        let text = world.run(&[name, "--help"]);
        assert!(text.starts_with("exit code 0"), "{text}");
        insta::with_settings!({ snapshot_suffix => name }, { assert_snapshot!("help", text) });
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    assert_snapshot!(World::new().run(&["rnus"]));
}

#[test]
fn an_unknown_setting_names_the_nearest() {
    assert_snapshot!(World::new().run(&["config", "--set", "train.gruop_size=4"]));
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    assert_snapshot!(World::new().run(&["config", "--config", "nowhere.toml"]));
}

#[test]
fn a_settings_file_with_a_mistake_names_the_line() {
    let world = World::new();
    std::fs::write(world.path().join("basis.toml"), "[train]\ngroup_size = = 3\n").unwrap();
    assert_snapshot!(world.run(&["config"]));
}

#[test]
fn config_says_where_settings_come_from() {
    let world = World::new();
    std::fs::write(world.path().join("basis.toml"), "[train]\niterations = 7\n").unwrap();
    assert_snapshot!(world.run_with(&["config", "--seed", "9"], &[("BASIS_EVAL_ATTEMPTS", "5")]));
}

#[test]
fn config_prints_a_settings_file() {
    let world = World::new();
    let text = world.run(&["config"]);
    let body = text.split_once("--- stdout\n").unwrap().1.split_once("--- stderr").unwrap().0;
    std::fs::write(world.path().join("basis.toml"), body).unwrap();
    assert!(world.run(&["config"]).starts_with("exit code 0"));
}
